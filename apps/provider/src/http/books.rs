//! The Books API over the built-in catalogue: search, volumes, shelves by both routes, covers.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::form::{self, field};
use super::google_error::{self, PlatformError};
use super::userinfo::Access;
use crate::catalogue::{self, Book};
use crate::cover;
use crate::running::Shared;

const BASE: &str = "https://www.googleapis.com/books/v1";
const BOOKS_SCOPE: &str = "https://www.googleapis.com/auth/books";
const FAVORITES: u32 = 0;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/books/v1/volumes", get(search))
        .route("/books/v1/volumes/{id}", get(volume))
        .route("/books/v1/mylibrary/bookshelves", get(my_shelves))
        .route("/books/v1/mylibrary/bookshelves/{shelf}", get(my_shelf))
        .route(
            "/books/v1/mylibrary/bookshelves/{shelf}/volumes",
            get(my_volumes),
        )
        .route(
            "/books/v1/users/{user}/bookshelves/{shelf}",
            get(user_shelf),
        )
        .route(
            "/books/v1/users/{user}/bookshelves/{shelf}/volumes",
            get(user_volumes),
        )
        .route("/books/content", get(cover))
}

async fn search(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let form = form::read(query.as_bytes()).unwrap_or_default();
    let wanted = field(&form, "q");
    if wanted.trim().is_empty() {
        return PlatformError::QUERY_MISSING.render();
    }
    volumes(&query, &catalogue::search(wanted))
}

async fn volume(Path(id): Path<String>) -> Response {
    match catalogue::find(&id) {
        Some(book) => google_error::json(StatusCode::OK, &describe(book)),
        None => PlatformError::NOT_FOUND.render(),
    }
}

async fn my_shelves(
    State(shared): State<Arc<Shared>>,
    Extension(access): Extension<Access>,
) -> Response {
    match reader(&access) {
        Ok(()) => google_error::json(
            StatusCode::OK,
            &json!({"kind": "books#bookshelves", "items": [shelf(&shared)]}),
        ),
        Err(error) => error.render(),
    }
}

async fn my_shelf(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<u32>,
    Extension(access): Extension<Access>,
) -> Response {
    match reader(&access) {
        Ok(()) if id == FAVORITES => google_error::json(StatusCode::OK, &shelf(&shared)),
        Ok(()) => PlatformError::NOT_FOUND.render(),
        Err(error) => error.render(),
    }
}

async fn my_volumes(
    Path(id): Path<u32>,
    RawQuery(query): RawQuery,
    Extension(access): Extension<Access>,
) -> Response {
    match reader(&access) {
        Ok(()) => on_shelf(id, &query.unwrap_or_default()),
        Err(error) => error.render(),
    }
}

/// The user's shelf of favourites is private, so this route wants the token as well.
async fn user_shelf(
    State(shared): State<Arc<Shared>>,
    Path((user, id)): Path<(String, u32)>,
    Extension(access): Extension<Access>,
) -> Response {
    match reader(&access) {
        Ok(()) if user == shared.user.subject && id == FAVORITES => {
            google_error::json(StatusCode::OK, &shelf(&shared))
        }
        Ok(()) => PlatformError::NOT_FOUND.render(),
        Err(error) => error.render(),
    }
}

async fn user_volumes(
    State(shared): State<Arc<Shared>>,
    Path((user, id)): Path<(String, u32)>,
    RawQuery(query): RawQuery,
    Extension(access): Extension<Access>,
) -> Response {
    match reader(&access) {
        Ok(()) if user == shared.user.subject => on_shelf(id, &query.unwrap_or_default()),
        Ok(()) => PlatformError::NOT_FOUND.render(),
        Err(error) => error.render(),
    }
}

fn reader(access: &Access) -> Result<(), PlatformError> {
    let scope = access.0.as_ref().map_err(|error| *error)?;
    if scope.iter().any(|scope| scope == BOOKS_SCOPE) {
        Ok(())
    } else {
        Err(PlatformError::SCOPE_INSUFFICIENT)
    }
}

fn on_shelf(id: u32, query: &str) -> Response {
    if id == FAVORITES {
        volumes(query, &catalogue::favorites())
    } else {
        PlatformError::NOT_FOUND.render()
    }
}

fn shelf(shared: &Shared) -> Value {
    let user = &shared.user.subject;
    json!({
        "kind": "books#bookshelf", "id": FAVORITES, "title": "Favorites", "access": "PRIVATE",
        "selfLink": format!("{BASE}/users/{user}/bookshelves/{FAVORITES}"),
        "volumeCount": catalogue::favorites().len(),
    })
}

/// `startIndex` and `maxResults` (0 to 40, 10 when not said); `items` is absent when empty.
fn volumes(query: &str, books: &[&Book]) -> Response {
    let form = form::read(query.as_bytes()).unwrap_or_default();
    let start = field(&form, "startIndex").parse().unwrap_or(0_usize);
    let most = field(&form, "maxResults")
        .parse()
        .unwrap_or(10_usize)
        .min(40);
    let items: Vec<_> = books
        .iter()
        .skip(start)
        .take(most)
        .map(|book| describe(book))
        .collect();
    let mut body = json!({"kind": "books#volumes", "totalItems": books.len()});
    if !items.is_empty() {
        body["items"] = Value::Array(items);
    }
    google_error::json(StatusCode::OK, &body)
}

fn describe(book: &Book) -> Value {
    let id = book.id();
    let image = format!("{}&edge=curl&source=gbs_api", cover_url(&id));
    json!({
        "kind": "books#volume", "id": id, "etag": format!("{id}-1"),
        "selfLink": format!("{BASE}/volumes/{id}"),
        "volumeInfo": {
            "title": book.title, "authors": [book.author], "publishedDate": book.year.to_string(),
            "language": book.language, "categories": [book.category],
            "imageLinks": {"smallThumbnail": image, "thumbnail": image},
        },
        "accessInfo": {"publicDomain": true},
    })
}

/// Google's links say `http` and `books.google.com`; ours stay on a host of the article's list, in https.
fn cover_url(id: &str) -> String {
    format!("https://www.googleapis.com/books/content?id={id}&printsec=frontcover&img=1&zoom=1")
}

pub(super) async fn cover(RawQuery(query): RawQuery) -> Response {
    let form = form::read(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let Some(book) = catalogue::find(field(&form, "id")) else {
        return PlatformError::NOT_FOUND.render();
    };
    let mut response = cover::draw(book).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("image/svg+xml"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=3600"),
    );
    response
}
