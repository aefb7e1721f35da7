//! Covers: images only, of modest size, under file names that are ours.

use std::path::{Path, PathBuf};

use bonafide_sdk::adaptor::{ProtectedClient, ProtectedRequest};

use crate::api::Book;
use crate::error::Trouble;

const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Fetches a cover through the protected client into `directory`; `None` where the book has none.
pub(crate) async fn fetch(
    client: &ProtectedClient,
    book: &Book,
    directory: &Path,
) -> Result<Option<PathBuf>, Trouble> {
    let Some(url) = &book.cover else {
        return Ok(None);
    };
    let response = client.send(ProtectedRequest::get(url)?).await?;
    if response.status() != 200 {
        return Err(Trouble::Api(response.status()));
    }
    let essence = response
        .header("content-type")
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    let extension = extension(essence).ok_or(Trouble::ApiMalformed)?;
    if response.body().len() > MOST_BYTES {
        return Err(Trouble::ApiMalformed);
    }
    std::fs::create_dir_all(directory).map_err(Trouble::Storage)?;
    let path = directory.join(format!("{}.{extension}", file_stem(&book.id)));
    std::fs::write(&path, response.body()).map_err(Trouble::Storage)?;
    Ok(Some(path))
}

fn extension(media_type: &str) -> Option<&'static str> {
    match media_type.trim() {
        "image/svg+xml" => Some("svg"),
        "image/png" => Some("png"),
        "image/jpeg" => Some("jpg"),
        _ => None,
    }
}

/// An id from the network is no path.
fn file_stem(id: &str) -> String {
    id.chars()
        .filter(|character| character.is_ascii_alphanumeric() || "-_".contains(*character))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_the_directory() {
        assert_eq!(file_stem("../../etc/passwd"), "etcpasswd");
        assert_eq!(file_stem("bfBooks00001"), "bfBooks00001");
    }

    #[test]
    fn only_images_are_kept() {
        assert_eq!(extension("image/png"), Some("png"));
        assert_eq!(extension("text/html"), None);
    }
}
