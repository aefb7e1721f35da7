//! Every `.idsig` of the corpus fits exactly the APK that it was made for, and no other.

use crate::folder::Corpus;
use bonafide_artifact::{Options, Scheme, Source, inspect};

#[test]
fn an_idsig_fits_its_own_apk_and_no_other() {
    let Some(corpus) = Corpus::open("idsig corpus") else {
        return;
    };
    let apks: Vec<_> = corpus
        .entries
        .iter()
        .filter(|entry| entry["summary"]["verified"] == true)
        .collect();
    let (mut idsigs, mut fitted) = (0, 0);
    for entry in corpus
        .entries
        .iter()
        .filter(|entry| entry["summary"].is_null())
    {
        let bytes = corpus.bytes(entry);
        if !bytes.starts_with(&[2, 0, 0, 0]) {
            continue;
        }
        idsigs += 1;
        let mut options = Options::default();
        options.v4_signature = Some(bytes);
        let fits = apks
            .iter()
            .filter(|apk| fits(&corpus.bytes(apk), &options))
            .count();
        assert!(fits <= 1, "{} fits {fits} files", entry["path"]);
        fitted += fits;
    }
    println!(
        "idsig corpus: {idsigs} files, {fitted} fit one APK, none fits another of {}",
        apks.len()
    );
    assert!(idsigs > 0, "the corpus has no .idsig");
}

fn fits(apk: &dyn Source, options: &Options) -> bool {
    let inspection = inspect(apk, options).expect("readable");
    let fits = inspection.schemes().contains(&Scheme::V4);
    assert!(
        fits || inspection.identity().is_none(),
        "another file's .idsig was passed over"
    );
    fits
}
