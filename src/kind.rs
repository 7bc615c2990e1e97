//! The seam between the steps that are the same for every kind of resource, and a kind itself.
//!
//! `render.rs` has the list of kinds. It finds the resources of each kind in the input, and does what does not depend on the
//! kind with the results: messages, limits, collisions of names, and merging. A kind does the rest in its own module.

mod work;

use crate::diagnostic::{Diagnostic, ResourceRef};
use crate::identity::Seed;
use crate::identity::window::{Renewal, Window};
use crate::kubernetes::Object;
use crate::options::Options;
use crate::parse::Definition;
use crate::read::Document;

pub use self::work::Work;

/// A kind of resource of the input that becomes objects.
pub trait Kind: Sync {
    /// Its name, its versions and its schema.
    fn definition(&self) -> &'static Definition;

    /// Parses and resolves `resources`, and derives their secrets. Gives one plan for each of them, in the same order.
    ///
    /// The cost of each step is added to `work` before the step. If `work` then refuses the input, the step is not done.
    fn plan(&self, resources: &[Resource], input: &Input, work: &mut Work) -> Vec<Planned>;
}

/// A resource of the input.
#[derive(Clone)]
pub struct Resource<'a> {
    /// Its reference, with the namespace that it is rendered for.
    pub reference: ResourceRef,
    /// The document that it was read from.
    pub document: &'a Document,
}

/// What a plan depends on besides the resources. It contains a secret, so it does not implement `Debug`.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// All documents of the input, whatever their kind.
    pub documents: &'a [&'a Document],
    /// The options of the caller.
    pub options: &'a Options,
    /// The window of time to render for; `None` if there is an error about the time.
    pub window: Option<Window>,
    /// The seed; `None` if there is an error about it.
    pub seed: Option<&'a Seed>,
}

/// What will be rendered for one resource. It contains secrets, so it does not implement `Debug`.
pub struct Planned {
    /// Its content; `None` if one of the diagnostics is an error, or if there is no seed.
    pub content: Option<Box<dyn Content>>,
    /// When to render again, if the content depends on the time.
    pub renewal: Option<Renewal>,
    /// The messages about it. They have positions in the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// What is needed to build the objects of one resource. They are built on demand, because the objects of many clusters would
/// fill the memory.
pub trait Content {
    /// Builds the objects. Building cannot fail. An object comes after those that it depends on.
    fn objects(&self) -> Vec<Object>;
}
