//! pgBackRest reads its own file: at the level `debug` it begins with every option that it has.
