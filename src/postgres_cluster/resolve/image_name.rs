//! Checks the names of images. The API server accepts nearly every text, but the kubelet cannot pull what is not a name
//! (`InvalidImageName`), so pods would wait forever. The grammar is that of the module `github.com/distribution/reference`, which
//! Kubernetes uses ("Grammar" in its package documentation).

use std::sync::LazyLock;

use regex::Regex;

/// The maximum length of a repository, without the registry.
const REPOSITORY_MAX: usize = 255;

/// A registry, a repository, a tag and a digest. Only what contains a dot, a colon or a capital letter, and `localhost`, is a
/// registry.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
    let registry = format!(r"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?");
    let part = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*";
    let digest = "sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}";
    let pattern =
        format!("^(?:({registry})/)?({part}(?:/{part})*)(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@(?:{digest}))?$");
    Regex::new(&pattern).expect("a constant pattern")
});

/// Whether `image` is the name of an image.
pub(crate) fn is_image_name(image: &str) -> bool {
    let Some(found) = NAME.captures(image) else { return false };
    let length = found.get(2).map_or(0, |repository| repository.len());
    // The hash of an image alone could be taken for a repository.
    let is_hash = image.len() == 64 && image.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    length <= REPOSITORY_MAX && !is_hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc";

    #[test]
    fn names_of_images_are_accepted() {
        for image in [
            "postgres",
            "postgres:17",
            "library/postgres:17.2-bookworm",
            "a/b/c/d__e/f---g:_1",
            "localhost/postgres",
            "localhost:5000/postgres:latest",
            "127.0.0.1:5000/postgres",
            "[2001:db8::1]:5000/postgres",
            "Registry.Example.COM/team/postgres",
            "registry.developers.crunchydata.com/crunchydata/crunchy-postgres:ubi9-17.11-2633",
        ] {
            assert!(is_image_name(image), "{image}");
            assert!(is_image_name(&format!("{image}@sha256:{HASH}")), "{image}");
        }
        assert!(is_image_name(&"a".repeat(255)));
    }

    #[test]
    fn other_texts_are_refused() {
        let hash = format!("postgres@sha256:{}", HASH.to_uppercase());
        let long = "a".repeat(256);
        let tag = format!("postgres:{}", "a".repeat(129));
        for image in [
            "",
            " ",
            "not a name",
            " postgres",
            "postgres ",
            "postgres\n",
            "Postgres",
            "example.com/Team/postgres",
            "postgres:",
            "postgres:a:b",
            "postgres:-1",
            "postgres@",
            "postgres@sha256:",
            "postgres@sha256:abc",
            "postgres@md5:0123456789abcdef0123456789abcdef",
            "/postgres",
            "postgres/",
            "a//b",
            "example.com:/a",
            "https://example.com/postgres",
            "example.com:port/postgres",
            "-a/b",
            "a-",
            "a..b",
            "a___b",
            "${IMAGE}",
            "{{ .Values.image }}",
            "pöstgres",
            HASH,
            &hash,
            &long,
            &tag,
        ] {
            assert!(!is_image_name(image), "{image}");
        }
    }
}
