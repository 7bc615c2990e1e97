//! Chooses images: that of the spec, that of the caller, or the default of PGO 6.0.3.

use crate::options::Options;

/// The registry of the default images.
const REGISTRY: &str = "registry.developers.crunchydata.com/crunchydata";

/// The default images of PGO 6.0.3, by the environment variable that its installer sets for each. PGO 6.0.3 has no images for
/// Postgres 11 to 14.
const BUILT_IN: [(&str, &str); 15] = [
    ("RELATED_IMAGE_POSTGRES_15", "crunchy-postgres:ubi9-15.19-2633"),
    ("RELATED_IMAGE_POSTGRES_16", "crunchy-postgres:ubi9-16.15-2633"),
    ("RELATED_IMAGE_POSTGRES_17", "crunchy-postgres:ubi9-17.11-2633"),
    ("RELATED_IMAGE_POSTGRES_18", "crunchy-postgres:ubi9-18.6-2633"),
    ("RELATED_IMAGE_POSTGRES_15_GIS_3.3", "crunchy-postgres-gis:ubi9-15.19-3.3-2633"),
    ("RELATED_IMAGE_POSTGRES_16_GIS_3.3", "crunchy-postgres-gis:ubi9-16.15-3.3-2633"),
    ("RELATED_IMAGE_POSTGRES_16_GIS_3.4", "crunchy-postgres-gis:ubi9-16.15-3.4-2633"),
    ("RELATED_IMAGE_POSTGRES_17_GIS_3.4", "crunchy-postgres-gis:ubi9-17.11-3.4-2633"),
    ("RELATED_IMAGE_POSTGRES_17_GIS_3.5", "crunchy-postgres-gis:ubi9-17.11-3.5-2633"),
    ("RELATED_IMAGE_POSTGRES_17_GIS_3.6", "crunchy-postgres-gis:ubi9-17.11-3.6-2633"),
    ("RELATED_IMAGE_POSTGRES_18_GIS_3.6", "crunchy-postgres-gis:ubi9-18.6-3.6-2633"),
    ("RELATED_IMAGE_PGBACKREST", "crunchy-pgbackrest:ubi9-2.59.0-2633"),
    ("RELATED_IMAGE_PGBOUNCER", "crunchy-pgbouncer:ubi9-1.25-2633"),
    ("RELATED_IMAGE_PGEXPORTER", "crunchy-postgres-exporter:ubi9-0.19.1-2633"),
    // PGO's collector is in the image of the operator.
    ("RELATED_IMAGE_COLLECTOR", "postgres-operator:ubi9-6.0.3-0"),
];

/// Returns the name of PGO's variable for the Postgres image of this version, with or without PostGIS.
pub(crate) fn postgres_variable(version: u16, postgis: Option<&str>) -> String {
    match postgis {
        Some(postgis) => format!("RELATED_IMAGE_POSTGRES_{version}_GIS_{postgis}"),
        None => format!("RELATED_IMAGE_POSTGRES_{version}"),
    }
}

/// Returns the image for `variable`: `named` of the spec, else that of the caller, else the default. `None` if there is none.
pub(crate) fn image(named: Option<&str>, variable: &str, options: &Options) -> Option<String> {
    let built_in = || {
        let (_, image) = BUILT_IN.iter().find(|(name, _)| *name == variable)?;
        Some(format!("{REGISTRY}/{image}"))
    };
    named
        .filter(|image| !image.is_empty())
        .map(str::to_owned)
        .or_else(|| options.images.get(variable).filter(|image| !image.is_empty()).cloned())
        .or_else(built_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_wins_over_the_caller_and_the_caller_over_the_table() {
        let mut options = Options::default();
        let built_in = image(None, "RELATED_IMAGE_POSTGRES_17", &options).unwrap();
        assert!(built_in.ends_with("/crunchy-postgres:ubi9-17.11-2633"));
        options.images.insert("RELATED_IMAGE_POSTGRES_17".to_owned(), "mine:1".to_owned());
        assert_eq!(image(None, "RELATED_IMAGE_POSTGRES_17", &options).unwrap(), "mine:1");
        assert_eq!(image(Some("named:2"), "RELATED_IMAGE_POSTGRES_17", &options).unwrap(), "named:2");
        assert_eq!(image(Some(""), "RELATED_IMAGE_POSTGRES_17", &options).unwrap(), "mine:1");
    }

    #[test]
    fn versions_past_their_end_have_no_image() {
        assert_eq!(image(None, &postgres_variable(13, None), &Options::default()), None);
        assert!(image(None, &postgres_variable(17, Some("3.5")), &Options::default()).is_some());
    }
}
