//! The verified identity of an APK, split set, AAB or IPA.
