//! The plugin that the tests of the sandbox run.
