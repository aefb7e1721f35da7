//! The roles page of the reference (`docs/reference/roles.md`), written from the table of routes.

use bonafide_wire::admin::Role;

use super::gate::Access;

/// The page, in Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Roles\n\nWritten from the table of admin routes (`crates/server/src/http/admin/mod.rs`) by a test; do not \
         edit.\n\nA session has one role, at most that of the credential that opened it. Anonymous requests get \
         `unauthenticated` (401), a role that is not enough `forbidden` (403), an account that is not the \
         credential's `unknown-account` (404).\n\n| route | viewer | auditor | developer | admin |\n\
         | --- | :-: | :-: | :-: | :-: |\n",
    );
    for (method, path, access) in super::table().entries() {
        page.push_str(&row(method, &path, access));
    }
    page.push_str(
        "\n¹ Only with a service-wide credential.\n² With a management credential as bearer, for a role that it \
         covers.\n",
    );
    page
}

fn row(method: &str, path: &str, access: Access) -> String {
    let note = match access {
        Access::ServiceWide(_) => " ¹",
        Access::Credential => " ²",
        Access::Session(_) | Access::Account(_) => "",
    };
    let mut row = format!("| `{method} {path}`{note} |");
    for role in Role::ALL {
        let may = access.role().is_none_or(|needed| role.covers(needed));
        row.push_str(if may { " ✓ |" } else { " – |" });
    }
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_reference_page_is_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/roles.md");
        let page = super::page();
        if std::env::var_os("BONAFIDE_WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == page,
            "run this test with BONAFIDE_WRITE_REFERENCE=1 and commit {}",
            path.display()
        );
    }
}
