//! The Books API: volumes as it describes them, books as a reader sees them. Every field may be missing.

use bonafide_sdk::adaptor::{
    OAuthSession, ProtectedClient, ProtectedRequest, ProtectedResponse, Url,
};
use serde::{Deserialize, Serialize};

use crate::error::Trouble;

/// A book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Book {
    /// The API's id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Authors; may be empty.
    pub authors: Vec<String>,
    /// Year or date, as published.
    pub published: Option<String>,
    /// Where its cover is, https always.
    pub cover: Option<String>,
}

#[derive(Deserialize)]
struct Volumes {
    #[serde(default)]
    items: Vec<Volume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    id: String,
    #[serde(default)]
    volume_info: VolumeInfo,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct VolumeInfo {
    title: Option<String>,
    authors: Vec<String>,
    published_date: Option<String>,
    image_links: ImageLinks,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ImageLinks {
    small_thumbnail: Option<String>,
    thumbnail: Option<String>,
}

impl From<Volume> for Book {
    fn from(volume: Volume) -> Self {
        let info = volume.volume_info;
        let links = info.image_links;
        Self {
            id: volume.id,
            title: info.title.unwrap_or_else(|| "(untitled)".to_owned()),
            authors: info.authors,
            published: info.published_date,
            cover: links
                .thumbnail
                .or(links.small_thumbnail)
                .map(|url| straighten(&url)),
        }
    }
}

/// Cleartext links become https, and the curled corner goes.
fn straighten(url: &str) -> String {
    let https = match url.strip_prefix("http://") {
        Some(rest) => format!("https://{rest}"),
        None => url.to_owned(),
    };
    https.replace("&edge=curl", "")
}

/// Books that a search finds. No token goes along.
pub(crate) async fn search(
    client: &ProtectedClient,
    base: &str,
    query: &str,
) -> Result<Vec<Book>, Trouble> {
    let mut url =
        Url::parse(&format!("{base}/volumes")).map_err(|_| Trouble::Setting("the API's URL"))?;
    url.query_pairs_mut()
        .append_pair("q", query)
        .append_pair("maxResults", "40");
    let request = ProtectedRequest::get(url.as_str())?.header("accept", "application/json")?;
    read(&client.send(request).await?)
}

/// The shelf of favourites: with the access token, and with a proof where it obeys the instance's key.
pub(crate) async fn favorites(session: &OAuthSession, base: &str) -> Result<Vec<Book>, Trouble> {
    let url = format!("{base}/mylibrary/bookshelves/0/volumes?maxResults=40");
    let request = ProtectedRequest::get(&url)?.header("accept", "application/json")?;
    read(&session.send(request).await?)
}

fn read(response: &ProtectedResponse) -> Result<Vec<Book>, Trouble> {
    if response.status() != 200 {
        return Err(Trouble::Api(response.status()));
    }
    let volumes: Volumes = response.json().map_err(|_| Trouble::ApiMalformed)?;
    Ok(volumes.items.into_iter().map(Book::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_but_the_id_may_be_missing() {
        let text = r#"{"items":[{"id":"1"},{"id":"2","volumeInfo":{"title":"T","new":1}}]}"#;
        let volumes: Volumes = serde_json::from_str(text).unwrap();
        let books: Vec<Book> = volumes.items.into_iter().map(Book::from).collect();
        assert_eq!(books[0].title, "(untitled)");
        assert_eq!(
            (books[1].title.as_str(), books[1].cover.as_ref()),
            ("T", None)
        );
        let empty: Volumes = serde_json::from_str(r#"{"totalItems":0}"#).unwrap();
        assert!(empty.items.is_empty());
    }

    #[test]
    fn cover_links_become_https_and_lose_their_curl() {
        for (given, straight) in [
            (
                "http://b.example/c?id=1&edge=curl&x=2",
                "https://b.example/c?id=1&x=2",
            ),
            ("https://b.example/c?id=1", "https://b.example/c?id=1"),
        ] {
            assert_eq!(straighten(given), straight);
        }
    }
}
