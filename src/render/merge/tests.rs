use serde_json::json;

use super::*;
use crate::kubernetes::{ConfigMap, ObjectMeta, Secret};
use crate::read;

fn child(cluster: &str, name: &str, data: &str) -> Object {
    let config_map = ConfigMap {
        metadata: meta(name, &[(label::RENDERED, cluster)]),
        data: Some([("a".to_owned(), data.to_owned())].into()),
        ..ConfigMap::default()
    };
    config_map.into()
}

fn meta(name: &str, labels: &[(&str, &str)]) -> ObjectMeta {
    let labels = labels.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("shop".to_owned()),
        labels: Some(labels.collect()),
        ..ObjectMeta::default()
    }
}

fn secret(name: &str) -> Object {
    let labels = [(label::RENDERED, "hippo"), (label::CLUSTER, "hippo")];
    Secret { metadata: meta(name, &labels), ..Secret::default() }.into()
}

fn cluster(name: &str, file: &str, objects: Vec<Object>) -> Vec<RenderedResource> {
    let reference = ResourceRef { namespace: "shop".to_owned(), name: name.to_owned(), ..ResourceRef::default() };
    vec![RenderedResource { reference, file: file.to_owned(), objects }]
}

/// The object as an item of the input.
fn item(object: &Object) -> Value {
    object.to_value()
}

/// The object without the labels that say who has made it.
fn unlabelled(object: &Object) -> Value {
    let mut value = object.to_value();
    value["metadata"]["labels"] = json!({});
    value
}

fn items(values: &[Value]) -> Vec<Document> {
    let text: Vec<String> = values.iter().map(|value| format!("{value}\n")).collect();
    read::documents("<stdin>", &text.join("---\n")).unwrap()
}

fn with(mut value: Value, annotations: &[(&str, &str)]) -> Value {
    for (key, text) in annotations {
        object::annotate(&mut value, key, text);
    }
    value
}

#[test]
fn a_new_child_gets_a_place_next_to_its_cluster() {
    let merged = merge(&[], cluster("hippo", "db/cluster.yaml", vec![child("hippo", "a", "1")]));
    let [Item::Rendered(value)] = merged.items.as_slice() else { panic!("other items") };
    for key in [bookkeeping::PATH, bookkeeping::LEGACY_PATH] {
        assert_eq!(value["metadata"]["annotations"][key], "db/hippo/configmap-a.yaml");
    }
    for key in [bookkeeping::INDEX, bookkeeping::LEGACY_INDEX] {
        assert_eq!(value["metadata"]["annotations"][key], "0");
    }
}

#[test]
fn a_new_child_does_not_take_the_place_of_another_item() {
    let path = "hippo/configmap-a.yaml";
    let other = json!({"kind": "Service", "metadata": {"name": "x"}});
    let items = items(&[with(other, &[(bookkeeping::PATH, path), (bookkeeping::INDEX, "1")])]);
    let merged = merge(&items, cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")]));
    let [Item::Kept(_), Item::Rendered(value)] = merged.items.as_slice() else { panic!("other items") };
    assert_eq!(value["metadata"]["annotations"][bookkeeping::INDEX], "2");
}

#[test]
fn an_earlier_child_is_replaced_in_its_file_and_left_alone_when_it_is_right() {
    let place = [(bookkeeping::PATH, "moved.yaml"), (bookkeeping::INDEX, "3"), ("config.k8s.io/id", "9")];
    let old = with(item(&child("hippo", "a", "old")), &place);
    let old = with(old, &[("example.com/hand", "made")]);
    let same = with(item(&child("hippo", "b", "same")), &place);
    let wanted = vec![child("hippo", "b", "same"), child("hippo", "a", "new")];
    let items = items(&[old, same]);
    let merged = merge(&items, cluster("hippo", "<stdin>", wanted));
    let new = with(item(&child("hippo", "a", "new")), &place);
    assert!(merged.items == [Item::Rendered(new), Item::Kept(&items[1].node)]);
    assert_eq!(merged.diagnostics, []);
}

#[test]
fn children_that_nothing_asks_for_are_left_out_and_told() {
    let children = [child("hippo", "a", "1"), child("gone", "b", "1"), child("gone", "c", "1")];
    let items = items(&children.each_ref().map(item));
    let merged = merge(&items, cluster("hippo", "<stdin>", vec![]));
    assert!(merged.items.is_empty());
    let told: Vec<String> = merged.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("2 objects of cluster `shop/gone`"), "{told:?}");
}

#[test]
fn kustomize_keeps_the_children_of_another_function() {
    let id = [(bookkeeping::KUSTOMIZE_ID, "x")];
    let items =
        items(&[child("hippo", "a", "1"), child("other", "b", "1")].each_ref().map(|child| with(item(child), &id)));
    assert!(merge(&items, cluster("hippo", "<stdin>", vec![])).items == [Item::Kept(&items[1].node)]);
}

#[test]
fn a_child_of_another_cluster_is_never_overwritten() {
    for annotations in [&[][..], &[(bookkeeping::KUSTOMIZE_ID, "x")]] {
        let theirs = with(item(&child("hippo-a", "hippo-a-b", "1")), annotations);
        let ours = cluster("hippo", "<stdin>", vec![child("hippo", "hippo-a-b", "2")]);
        let told: Vec<String> = merge(&items(&[theirs]), ours).diagnostics.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains("error: `ConfigMap shop/hippo-a-b` belongs to"), "{told:?}");
    }
}

#[test]
fn an_item_of_the_user_does_not_pass_beside_ours() {
    let theirs = unlabelled(&child("hippo", "a", "1"));
    let earlier = item(&child("hippo", "a", "1"));
    let ours = || cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")]);
    for items in [[theirs.clone(), earlier.clone()], [earlier.clone(), theirs.clone()]] {
        let items = self::items(&items);
        let merged = merge(&items, ours());
        assert!(crate::diagnostic::has_errors(&merged.diagnostics));
    }
}

#[test]
fn an_item_of_the_user_is_never_overwritten() {
    let theirs = unlabelled(&child("hippo", "a", "1"));
    let items = items(&[theirs]);
    let merged = merge(&items, cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")]));
    assert!(crate::diagnostic::has_errors(&merged.diagnostics));
    assert!(merged.diagnostics[0].to_string().contains("ConfigMap shop/a"));
}

#[test]
fn secrets_of_pgo_are_taken_over_and_its_ca_stays_away() {
    let place = [(bookkeeping::PATH, "pgo.yaml"), (bookkeeping::INDEX, "2")];
    let theirs = |labels: Value| {
        let mut value = with(item(&secret("s")), &place);
        value["metadata"]["labels"] = labels;
        items(&[value])
    };
    let wanted = || cluster("hippo", "<stdin>", vec![secret("s")]);
    let of_pgo = theirs(json!({label::CLUSTER: "hippo"}));
    assert!(merge(&of_pgo, wanted()).items == [Item::Rendered(with(item(&secret("s")), &place))]);
    for labels in [json!({}), json!({label::CLUSTER: "other"})] {
        let told = merge(&theirs(labels), wanted()).diagnostics;
        assert!(
            told[0].to_string().contains("error: ")
                && told[0].message.contains(
                    "cluster: hippo`, so that pgrender \
                                                                                 replaces it"
                )
        );
    }
    let root = |namespace: &str| json!({"kind": "Secret", "metadata": {"name": ROOT_SECRET, "namespace": namespace}});
    let items = items(&[root("shop"), root("elsewhere")]);
    let merged = merge(&items, cluster("hippo", "<stdin>", vec![]));
    assert!(merged.items == [Item::LocalConfig(&items[0].node), Item::Kept(&items[1].node)]);
}

#[test]
fn clusters_and_seeds_are_kept_away_from_the_cluster_unless_someone_has_decided() {
    let hippo = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1", "kind": "PostgresCluster", "metadata": {"name": "hippo"}
    });
    let seed = json!({"kind": "Secret", "metadata": {"annotations": {annotation::SEED: "true"}}});
    let no_seed = json!({"kind": "Secret", "metadata": {"annotations": {annotation::SEED: "false"}}});
    let decided = with(hippo.clone(), &[(bookkeeping::LOCAL_CONFIG, "false")]);
    let all = items(&[hippo, seed.clone(), no_seed, decided]);
    let [first, second, third, last] = all.as_slice() else { panic!("other items") };
    let [first, second, third, last] = [first, second, third, last].map(|item| &item.node);
    let expected = [Item::LocalConfig(first), Item::LocalConfig(second), Item::Kept(third), Item::Kept(last)];
    assert!(merge(&all, Vec::new()).items == expected);
    for (value, is_away) in [("false", false), ("true", true)] {
        let items = items(&[with(seed.clone(), &[(bookkeeping::LOCAL_CONFIG, value)])]);
        let node = &items[0].node;
        let expected = if is_away { Item::Kept(node) } else { Item::LocalConfig(node) };
        assert!(merge(&items, Vec::new()).items == [expected], "{value}");
    }
}

#[test]
fn a_seed_stays_whatever_its_labels_and_its_name_say() {
    let seed = |name: &str, labels: Value| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": name, "namespace": "shop", "labels": labels, "annotations": {annotation::SEED: "true"},
        }})
    };
    let wanted = || cluster("hippo", "<stdin>", vec![secret("hippo-pguser-hippo")]);
    for key in [label::RENDERED, label::CLUSTER] {
        for owner in ["hippo", "other"] {
            let items = [seed("seed", json!({key: owner})), seed("hippo-pguser-hippo", json!({key: owner}))];
            let [apart, same] = items.map(|seed| super::tests::items(&[seed]));
            assert!(merge(&apart, wanted()).items[0] == Item::LocalConfig(&apart[0].node), "{key}: {owner}");
            let told = merge(&same, wanted()).diagnostics;
            assert!(crate::diagnostic::has_errors(&told) && !told[0].message.contains("add the label"), "{told:?}");
        }
    }
}

#[test]
fn an_index_that_no_file_has_is_ignored() {
    let path = "hippo/configmap-a.yaml";
    for index in [usize::MAX.to_string(), (usize::MAX - 1).to_string(), "99999999999999999999999".to_owned()] {
        let other = json!({"kind": "Service", "metadata": {"name": "x"}});
        let items = items(&[with(other, &[(bookkeeping::PATH, path), (bookkeeping::INDEX, &index)])]);
        let merged = merge(&items, cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")]));
        let [Item::Kept(_), Item::Rendered(value)] = merged.items.as_slice() else { panic!("other items") };
        assert_eq!(value["metadata"]["annotations"][bookkeeping::INDEX], "1");
    }
}
