//! What every part of the resolution needs, and the checks of values that many parts have.

use super::image_name::is_image_name;
use super::images;
use crate::diagnostic::words::quote;
use crate::diagnostic::{Collector, Diagnostic, FieldPath};
use crate::options::Options;

/// What every part of the resolution needs: the options, and where diagnostics go.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) diagnostics: Collector<Diagnostic>,
}

impl Context<'_> {
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.add(diagnostic);
    }

    pub(crate) fn error(&mut self, path: FieldPath, message: impl Into<String>) {
        self.diagnostics.add(Diagnostic::error(message).at(path));
    }

    pub(crate) fn warning(&mut self, path: FieldPath, message: impl Into<String>) {
        self.diagnostics.add(Diagnostic::warning(message).at(path));
    }

    pub(crate) fn info(&mut self, path: FieldPath, message: impl Into<String>) {
        self.diagnostics.add(Diagnostic::info(message).at(path));
    }

    /// Reports the error of a check at `path`, and returns whether there was none. The check is a function of the module that
    /// writes the file.
    pub(crate) fn check(&mut self, path: &FieldPath, verdict: Result<(), String>) -> bool {
        let good = verdict.is_ok();
        if let Err(why) = verdict {
            self.error(path.clone(), why);
        }
        good
    }

    /// Returns a port number. The schema has checked only the lower bound, so the upper bound is checked here. After an error,
    /// the number is only for the checks that follow.
    pub(crate) fn port(&mut self, number: i32, path: &str) -> u16 {
        u16::try_from(number).unwrap_or_else(|_| {
            self.error(FieldPath::of(path), format!("`{number}` is not a valid port: write at most 65535"));
            u16::MAX
        })
    }

    /// Returns the image for `variable`, or reports an error that says where to set one, or that it is not the name of an image.
    /// After an error, the name is only for the checks that follow.
    pub(crate) fn image(&mut self, named: Option<&str>, variable: &str, path: &str) -> String {
        if let Some(image) = images::image(named, variable, self.options) {
            self.check_image(&image, (named != Some(&image)).then_some(variable), FieldPath::of(path));
            image
        } else {
            let message = format!(
                "no image is set: write one here, or set `{variable}` in the environment, with `--image`, or in \
                 `spec.images` of the function configuration"
            );
            self.error(FieldPath::of(path), message);
            variable.to_owned()
        }
    }

    /// Reports an error at `path` unless `image`, which may come from the caller's `variable`, is the name of an image.
    pub(crate) fn check_image(&mut self, image: &str, variable: Option<&str>, path: FieldPath) {
        if !is_image_name(image) {
            let image = quote(image);
            let what =
                variable.map_or_else(|| image.clone(), |variable| format!("{image}, which `{variable}` is set to,"));
            let message = format!(
                "{what} is not the name of an image: write it as `registry.example.com/repository:tag`, without spaces, and \
                 the repository in lower case"
            );
            self.error(path, message);
        }
    }
}
