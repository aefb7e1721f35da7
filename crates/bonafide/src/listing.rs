//! How much of a list is wanted.

/// `--limit N`, `--all`
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Window {
    /// At most this many, newest first where there is an order
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Window {
    /// The most that is wanted.
    pub(crate) fn most(self) -> usize {
        if self.all {
            return usize::MAX;
        }
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }
}
