//! Checks certificates, verifiers and connection strings with a real PostgreSQL and its libpq.

use std::process::Output;
use std::time::SystemTime;

use pgrender::identity::certificate::Certificate;
use pgrender::identity::uri;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;
use pgrender::postgres_cluster::secrets::identity::Identity;

use crate::identity::at;
use crate::identity::cluster::hippo;
use crate::identity::derived::{certificates, credential, leaf, verifier};
use crate::identity::server::Server;
use crate::identity::tools::available;
use crate::identity::uri::HOSTILE;

/// Returns an identity that is valid now, because a real server has a real clock, and a server that uses it.
pub(crate) fn server() -> Option<(Identity, Server)> {
    if !available("psql") || !available("setpriv") {
        return None;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let identity = at(&hippo(), now.try_into().unwrap());
    let server = Server::start(&hippo(), &identity)?;
    Some((identity, server))
}

fn answer(output: &Output) -> Result<String, String> {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned());
    if output.status.success() { Ok(stdout) } else { Err(stderr) }
}

#[test]
fn postgres_lets_everybody_in_who_may_come_in() {
    let Some((identity, server)) = server() else { return };
    let hippo = credential(&identity, "hippo");
    server.sql(&format!("CREATE ROLE hippo LOGIN PASSWORD '{}'; CREATE ROLE _crunchyrepl LOGIN;", verifier(hippo)));
    assert_eq!(server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'hippo'"), verifier(hippo));

    let login = |host: &str, variables: &[(&str, &str)]| {
        let connection = format!("host={host} user=hippo dbname=postgres channel_binding=require");
        answer(&server.connect(&connection, variables))
    };
    let password = [("PGPASSWORD", hippo.password.as_str())];
    for host in
        ["hippo-primary.postgres-operator.svc", "hippo-replicas", "hippo-ha.postgres-operator.svc.cluster.local"]
    {
        assert_eq!(login(host, &password), Ok("hippo in postgres".to_owned()));
    }
    assert!(login("rhino-primary", &password).unwrap_err().contains("does not match host name"));
    assert!(login("hippo-primary", &[("PGPASSWORD", "wrong")]).unwrap_err().contains("authentication failed"));

    let replication = "host=hippo-primary user=_crunchyrepl dbname=postgres";
    let present = |name: &str, certificate: &Certificate| {
        let files = server.client_files(name, certificate);
        let variables = files.each_ref().map(|(name, path)| (*name, path.as_str()));
        answer(&server.connect(replication, &variables))
    };
    let certificate = leaf(&identity, CertificateRole::Replica);
    assert_eq!(present("replication", certificate), Ok("_crunchyrepl in postgres".to_owned()));
    for (name, certificate) in certificates(&identity).into_iter().filter(|(name, _)| name != "replication") {
        present(name.split(' ').next().unwrap(), certificate).expect_err("the certificate is somebody else's");
    }
    assert!(answer(&server.connect(replication, &[])).is_err());
}

#[test]
fn libpq_reads_the_uri_as_it_was_meant() {
    let Some((_, server)) = server() else { return };
    for name in HOSTILE {
        server.create_role_and_database(name);
        let uri = uri::postgresql_uri(name, name, "hippo-primary.postgres-operator.svc", server.port, name);
        assert_eq!(answer(&server.connect(&uri, &[])), Ok(format!("{name} in {name}")), "{}", *uri);
    }
}
