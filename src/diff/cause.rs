//! What causes an effect.

use super::fields::Difference;
use super::side::SideObject;

/// A difference that has an effect, or an object that is new or gone.
pub(super) struct Cause<'a> {
    /// The object; the new one if it is on both sides.
    pub(super) object: &'a SideObject,
    /// The difference; `None` if the whole object is new or gone.
    pub(super) difference: Option<Difference>,
}
