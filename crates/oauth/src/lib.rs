//! Native OAuth client as typed steps, with no HTTP inside.
