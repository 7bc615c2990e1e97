//! A real PostgreSQL with the derived certificate and verifiers.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgrender::identity::scram;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::postgres;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;
use pgrender::postgres_cluster::secrets::identity::Identity;
use tempfile::TempDir;

use crate::identity::derived::{leaf, trust};
use crate::identity::tools::{attempt, file, run};

/// Returns the directory of the newest server on this machine. Debian does not have it on the PATH.
fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok()?.map(|entry| entry.unwrap().path().join("bin")).collect();
    versions.sort();
    versions.pop().filter(|bin| bin.join("initdb").exists())
}

pub(crate) struct Server {
    bin: PathBuf,
    directory: TempDir,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server with only its superuser and with the rules of `cluster`. `None` if PostgreSQL is not installed.
    pub(crate) fn start(cluster: &Cluster, identity: &Identity) -> Option<Self> {
        let Some(bin) = binaries() else {
            println!("skipped: no PostgreSQL server on this machine");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no PostgreSQL server, and CI=true");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { bin, directory, port };
        let certificate = leaf(identity, CertificateRole::Postgres);
        for (name, content) in
            [("tls.crt", certificate.certificate.as_str()), ("tls.key", &*certificate.key), ("ca.crt", trust(identity))]
        {
            let path = file(server.path(), name, content);
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut rules = postgres::configuration::hba(cluster);
        // The user of this machine has another name.
        "local all all trust".clone_into(&mut rules[0]);
        file(server.path(), "hba.conf", &(rules.join("\n") + "\n"));
        file(server.path(), "ident.conf", &(postgres::configuration::ident(cluster).join("\n") + "\n"));
        let path = server.path().to_str().unwrap();
        if is_root() {
            run("chown", &["-R", "nobody", path], "");
        }
        let data = format!("{path}/data");
        server.administer("initdb", &["-D", &data, "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust", "-N"]);
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={path} -c hba_file={path}/hba.conf \
             -c ident_file={path}/ident.conf -c ssl=on -c ssl_cert_file={path}/tls.crt -c ssl_key_file={path}/tls.key -c ssl_ca_file={path}/ca.crt \
             -c fsync=off"
        );
        server.administer("pg_ctl", &["-D", &data, "-l", &format!("{path}/log"), "-o", &options, "-w", "start"]);
        Some(server)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The file with the CA that signed the server's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.path().join("ca.crt")
    }

    /// Runs one of PostgreSQL's own programs. If the test runs as root, it runs as `nobody`, because these programs refuse
    /// root.
    fn administer(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let program = program.to_str().unwrap();
        if is_root() {
            let us = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", program];
            run("setpriv", &[&us, arguments].concat(), "");
        } else {
            run(program, arguments, "");
        }
    }

    /// Runs SQL as the superuser and returns the result.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let path = self.path().to_str().unwrap();
        let (port, options) = (self.port.to_string(), ["-qXAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres"]);
        let place = ["-h", path, "-p", &port];
        run("psql", &[&options[..], &place].concat(), sql).trim_end().to_owned()
    }

    /// Allows a role whose verifier has the old format to connect.
    pub(crate) fn allow_md5(&self, role: &str) {
        let path = self.path().join("hba.conf");
        let rules = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("hostssl all {role} all md5\n{rules}")).unwrap();
        self.sql("SELECT pg_reload_conf()");
    }

    /// Creates a role whose password is its name, and a database with this name.
    pub(crate) fn create_role_and_database(&self, name: &str) {
        let identifier = format!("\"{}\"", name.replace('"', "\"\""));
        let verifier = scram::verifier(name, b"sixteen bytes ok");
        self.sql(&format!("CREATE ROLE {identifier} LOGIN PASSWORD '{}';", *verifier));
        self.sql(&format!("CREATE DATABASE {identifier};"));
    }

    /// Connects over TCP with a connection string and additional libpq variables, and asks for the user and the database.
    pub(crate) fn connect(&self, connection: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("psql");
        command.args(["-qXAt", "-d", connection, "-c", "SELECT current_user || ' in ' || current_database()"]);
        command.env_clear().env("PATH", std::env::var("PATH").unwrap());
        command.env("PGHOSTADDR", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGSSLROOTCERT", self.authority()).env("PGSSLMODE", "verify-full");
        command.envs(variables.iter().copied());
        attempt(&mut command, "")
    }

    /// Writes the certificate and key of a client, and returns the libpq variables that use them.
    pub(crate) fn client_files(
        &self,
        name: &str,
        certificate: &pgrender::identity::certificate::Certificate,
    ) -> [(&'static str, String); 2] {
        let key = file(self.path(), &format!("{name}.key"), &certificate.key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let certificate = file(self.path(), &format!("{name}.crt"), &certificate.certificate);
        [("PGSSLCERT", certificate), ("PGSSLKEY", key)].map(|(name, path)| (name, path.to_str().unwrap().to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.path().join("data");
        if data.join("postmaster.pid").exists() {
            self.administer("pg_ctl", &["-D", data.to_str().unwrap(), "-m", "immediate", "stop"]);
        }
    }
}

fn is_root() -> bool {
    run("id", &["-u"], "").trim() == "0"
}
