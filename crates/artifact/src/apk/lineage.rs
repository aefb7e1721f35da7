//! The proof of key rotation: each key signs the certificate of the next.
//!
//! Decides whether the chain of certificates holds and ends at the signer's own. The capability flags are not covered by
//! these signatures, only by the last signer's signed data; they decide nothing here but whether two signers that must
//! tell one history do.

use crate::apk::algorithm::Algorithm;
use crate::certificate::Certificate;
use crate::cursor::Cursor;
use crate::finding::{Check, Code, OrBroken, broken};
use crate::public_key::PublicKey;

pub(crate) const ATTRIBUTE_LINEAGE: u32 = 0x3ba0_6f8c;
const VERSION: u32 = 1;
/// Keys rotate once in years; a long list only buys an attacker computing time.
const MAX_NODES: usize = 64;

/// A history that holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineage {
    /// Oldest first, the signer's own last; empty without rotation.
    pub(crate) certificates: Vec<Certificate>,
    /// What each of them may still do.
    pub(crate) capabilities: Vec<u32>,
}

struct Node<'a> {
    signed: &'a [u8],
    certificate: &'a [u8],
    /// The algorithm by which this node's parent signed it.
    parent_algorithm: u32,
    capabilities: u32,
    /// The algorithm by which this node signs the next.
    next_algorithm: u32,
    signature: &'a [u8],
}

/// Verifies the attribute's value. The result is the history, oldest first, ending with `own`.
pub(crate) fn verify(value: &[u8], own: &Certificate) -> Check<Lineage> {
    let nodes = parse(value).or_broken(Code::LineageMalformed, "")?;
    let mut history: Vec<Certificate> = Vec::new();
    let mut announced = 0;
    for (index, node) in nodes.iter().enumerate() {
        let certificate = Certificate::parse(node.certificate)
            .or_broken(Code::LineageMalformed, &format!("certificate {index}"))?;
        if let Some(parent) = history.last() {
            verify_step(node, announced, parent)?;
        }
        if history.iter().any(|earlier| earlier.der == certificate.der) {
            return broken(Code::LineageMalformed, "a certificate comes twice");
        }
        announced = node.next_algorithm;
        history.push(certificate);
    }
    if history.last().is_none_or(|last| last.der != own.der) {
        return broken(Code::LineageEndsElsewhere, "");
    }
    Ok(Lineage {
        certificates: history,
        capabilities: nodes.iter().map(|node| node.capabilities).collect(),
    })
}

fn verify_step(node: &Node<'_>, announced: u32, parent: &Certificate) -> Check<()> {
    // The id inside the signed part keeps an attacker from presenting the signature under another algorithm.
    if node.parent_algorithm != announced {
        return broken(
            Code::LineageSignatureWrong,
            "announced and used algorithm differ",
        );
    }
    let algorithm = Algorithm::by_id(announced).or_broken(
        Code::LineageMalformed,
        &format!("algorithm 0x{announced:08x}"),
    )?;
    let verified = PublicKey::parse(&parent.public_key_info).is_some_and(|key| {
        key.verify(
            algorithm.padding,
            algorithm.hash,
            node.signed,
            node.signature,
        )
    });
    if verified {
        Ok(())
    } else {
        broken(Code::LineageSignatureWrong, "")
    }
}

fn parse(value: &[u8]) -> Option<Vec<Node<'_>>> {
    let mut cursor = Cursor::new(value);
    if cursor.u32()? != VERSION {
        return None;
    }
    let mut nodes = Vec::new();
    while !cursor.is_empty() && nodes.len() <= MAX_NODES {
        let mut node = Cursor::new(cursor.prefixed()?);
        let signed = node.prefixed()?;
        let capabilities = node.u32()?;
        let next_algorithm = node.u32()?;
        let signature = node.prefixed()?;
        let mut inner = Cursor::new(signed);
        let certificate = inner.prefixed()?;
        let parent_algorithm = inner.u32()?;
        nodes.push(Node {
            signed,
            certificate,
            parent_algorithm,
            capabilities,
            next_algorithm,
            signature,
        });
    }
    (!nodes.is_empty() && nodes.len() <= MAX_NODES).then_some(nodes)
}
