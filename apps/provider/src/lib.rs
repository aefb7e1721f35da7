//! Local stand-in for the authorization server and Books API of the article.
