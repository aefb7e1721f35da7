//! Project chores that have an if in them.
fn main() {}
