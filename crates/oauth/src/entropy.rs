//! Where randomness comes from: an argument, never a global.

/// A source of unpredictable bytes.
pub trait Entropy {
    /// Fills `bytes`, or says that it cannot.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyFailed>;
}

/// The source gave nothing; nothing may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no randomness to be had")]
pub struct EntropyFailed;

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| EntropyFailed)
    }
}

/// 32 random bytes in base64url: 43 characters, 256 bits.
pub(crate) fn text(entropy: &mut dyn Entropy) -> Result<String, EntropyFailed> {
    let mut bytes = [0_u8; 32];
    entropy.fill(&mut bytes)?;
    Ok(crate::encoding::base64url(bytes))
}

#[cfg(test)]
pub(crate) mod fixed {
    use super::{Entropy, EntropyFailed};

    /// Counts up, so that no two draws are equal and tests repeat.
    #[derive(Debug, Default)]
    pub(crate) struct Counting(pub(crate) u8);

    impl Entropy for Counting {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
            self.0 += 1;
            bytes.fill(self.0);
            Ok(())
        }
    }
}
