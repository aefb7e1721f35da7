//! Prints who an app is: `cargo run --example identity app.apk`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use bonafide_artifact::{FileSource, Options, inspect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("which file?")?;
    let inspection = inspect(
        &FileSource::new(std::fs::File::open(path)?)?,
        &Options::default(),
    )?;
    let identity = inspection
        .identity()
        .ok_or_else(|| format!("{:#?}", inspection.findings()))?;
    println!("{} {}", identity.package(), identity.version_code());
    for certificates in identity.attested_signers() {
        println!("attested as {certificates:?}");
    }
    Ok(())
}
