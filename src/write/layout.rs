//! The file of each object if every object has a file of its own: `<cluster>/<kind>-<name>.yaml`, below the package in kpt and
//! below the output directory on the command line.

use crate::diagnostic::ResourceRef;

/// Returns the directory of each of `clusters`, in their order: its name, or `<namespace>/<name>` if another cluster has that
/// name.
pub fn directories(clusters: &[&ResourceRef]) -> Vec<String> {
    let directory = |cluster: &ResourceRef| {
        let namesakes = clusters.iter().filter(|other| other.name == cluster.name).count();
        if namesakes > 1 { format!("{}/{}", cluster.namespace, cluster.name) } else { cluster.name.clone() }
    };
    clusters.iter().map(|cluster| directory(cluster)).collect()
}

/// Returns the file of an object inside the directory of its cluster.
pub fn file_name(reference: &ResourceRef) -> String {
    format!("{}-{}.yaml", reference.kind.to_lowercase(), reference.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(namespace: &str, name: &str) -> ResourceRef {
        ResourceRef { namespace: namespace.to_owned(), name: name.to_owned(), ..ResourceRef::default() }
    }

    #[test]
    fn namesakes_are_told_apart_by_their_namespace() {
        let clusters = [cluster("one", "hippo"), cluster("two", "hippo"), cluster("two", "rhino")];
        let clusters: Vec<_> = clusters.iter().collect();
        assert_eq!(directories(&clusters), ["one/hippo", "two/hippo", "rhino"]);
    }

    #[test]
    fn a_file_is_named_after_kind_and_name() {
        let reference = ResourceRef { kind: "ConfigMap".to_owned(), ..cluster("shop", "hippo-config") };
        assert_eq!(file_name(&reference), "configmap-hippo-config.yaml");
    }
}
