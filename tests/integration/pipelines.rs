//! Tests the files of `functions/ci`, which users copy into their repositories, and the hooks of pre-commit: in real Git
//! repositories, with the real pre-commit, and with the JSON schemas of GitHub and GitLab.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgrender::read;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::processes;
use crate::common::tools::{self, run, success};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A server that keeps comments as GitHub and notes as GitLab do, as far as the script uses them. Writes its port and every
/// request to standard output. There are 100 comments of others, and the last of them imitates those of the script. As GitHub, it
/// does not tell the token of a job who it is.
const SERVER: &str = "\
import http.server, json, sys
from urllib.parse import parse_qs, urlparse
def comment(id, login, body):
    return {'id': id, 'body': body, 'user': {'login': login}, 'author': {'id': len(login)}}
comments = [comment(id, 'a', 'a person') for id in range(1, 100)]
comments.append(comment(100, 'a', '<!-- written by pgrender diff -->'))
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length)
        token = self.headers.get('Authorization') or self.headers.get('PRIVATE-TOKEN')
        print(self.command, self.path, token, flush=True)
        status = 200
        if self.path == '/user':
            status = 403 if 'Bearer' in token else 200
            reply = {'id': len('github-actions[bot]')}
        elif self.command == 'GET':
            query = parse_qs(urlparse(self.path).query)
            start = (int(query['page'][0]) - 1) * 100
            reply = comments[start:start + 100]
        elif self.command == 'POST':
            reply = comment(len(comments) + 1, 'github-actions[bot]', json.loads(body)['body'])
            comments.append(reply)
        else:
            reply = comments[int(self.path.rsplit('/', 1)[1]) - 1]
            reply['body'] = json.loads(body)['body']
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = do_PATCH = do_PUT = answer
    def log_message(self, *_): pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
print('port', server.server_port, flush=True)
server.serve_forever()
";

fn cluster(storage: &str) -> String {
    format!(
        "apiVersion: postgres-operator.crunchydata.com/v1\nkind: PostgresCluster\n\
         metadata: {{name: hippo, namespace: shop}}\nspec:\n  postgresVersion: 17\n  instances:\n  - name: one\n    \
         dataVolumeClaimSpec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {storage}}}}}}}\n"
    )
}

/// A repository with the scripts in `ci` and a cluster in `clusters`, as the comments of the files tell users to make it. The last
/// commit changes the cluster.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        fs::create_dir(this.path("ci")).unwrap();
        for name in ["check.sh", "diff.sh", "comment.sh"] {
            fs::copy(Path::new(ROOT).join("functions/ci").join(name), this.path(&format!("ci/{name}"))).unwrap();
        }
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        this.commit("first", &[("clusters/hippo.yaml", &cluster("1Gi")), ("README.md", "a\n")]);
        this.commit("second", &[("clusters/hippo.yaml", &cluster("2Gi"))]);
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        success(git.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments).current_dir(self.0.path()));
    }

    fn commit(&self, message: &str, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Returns a command in the repository that finds pgrender, and gets no variable of a pipeline.
    fn command(&self, program: &str) -> Command {
        let directory = Path::new(env!("CARGO_BIN_EXE_pgrender")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [directory.to_owned()].into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::join_paths(path).unwrap()).env("HOME", self.0.path());
        command.current_dir(self.0.path());
        command
    }

    fn script(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        run(self.command(&format!("ci/{name}")).args(arguments).envs(variables.iter().copied()))
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The file of a pipeline as JSON.
fn parsed(name: &str) -> Value {
    let text = fs::read_to_string(Path::new(ROOT).join("functions/ci").join(name)).unwrap();
    read::documents(name, &text).unwrap().remove(0).node.to_json()
}

/// Whether the program has the command that shows differences.
fn has_diff() -> bool {
    let found = run(Command::new(env!("CARGO_BIN_EXE_pgrender")).args(["diff", "--help"])).status.success();
    if !found {
        println!("skipped: this pgrender has no command `diff`");
    }
    found
}

#[test]
fn the_check_fails_if_a_cluster_is_wrong() {
    let repository = Repository::new();
    let github = [("GITHUB_ACTIONS", "true")];
    for variables in [&[][..], &github] {
        let output = repository.script("check.sh", &["clusters"], variables);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "no problems in 1 cluster\n"));
    }
    repository.commit("third", &[("clusters/hippo.yaml", &cluster("lots"))]);
    let output = repository.script("check.sh", &["clusters"], &[]);
    assert!(output.status.code() == Some(1) && stdout(&output).contains(" --> clusters/hippo.yaml:8:"));
    let output = repository.script("check.sh", &["--deny-warnings", "clusters"], &github);
    assert!(output.status.code() == Some(1) && stdout(&output).starts_with("::error file=clusters/hippo.yaml,line=8,"));
}

#[test]
fn the_differences_from_the_base_are_written() {
    let repository = Repository::new();
    let variables = [("GITHUB_STEP_SUMMARY", "summary.md")];
    let written = || fs::read_to_string(repository.path("diff.md")).unwrap();
    if has_diff() {
        let output = repository.script("diff.sh", &["HEAD^1", "clusters/", "diff.md"], &variables);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(written().contains("2Gi"), "{}", written());
        assert_eq!(fs::read_to_string(repository.path("summary.md")).unwrap(), written());
    }
    repository.commit("third", &[("others/hippo.yaml", &cluster("1Gi"))]);
    fs::remove_dir_all(repository.path("clusters")).unwrap();
    for (directory, text) in [("others", "the cluster is created"), ("clusters", "the cluster leaves the manifests")] {
        let output = repository.script("diff.sh", &["HEAD^1", directory, "diff.md"], &variables);
        assert!(output.status.success() && written().contains(text), "{}{}", stderr(&output), written());
    }
    assert!(fs::read_to_string(repository.path("summary.md")).unwrap().ends_with(&written()));
    // In a subdirectory, the directory is still that of the top directory, and the file is not.
    let script = repository.path("ci/diff.sh");
    let mut command = repository.command(script.to_str().unwrap());
    let output = run(command.args(["HEAD^1", "others", "here.md"]).current_dir(repository.path("others")));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(fs::read_to_string(repository.path("others/here.md")).unwrap().contains("the cluster is created"));
    for (commit, directory, message) in [
        ("origin/main", "clusters", "fetch more of the history"),
        ("HEAD", "nowhere", "`nowhere` is neither in this directory nor in the commit `HEAD`"),
        ("HEAD", "/clusters", "without the first `/`"),
    ] {
        let output = repository.script("diff.sh", &[commit, directory, "diff.md"], &[]);
        assert!(output.status.code() == Some(1) && stderr(&output).contains(message), "{}", stderr(&output));
    }
    assert_eq!(repository.script("diff.sh", &["HEAD^1"], &[]).status.code(), Some(2));
}

#[test]
fn what_cannot_be_compared_is_said() {
    if !has_diff() {
        return;
    }
    let repository = Repository::new();
    let variables = [("GITHUB_STEP_SUMMARY", "summary.md")];
    repository.commit("third", &[("clusters/hippo.yaml", &cluster("lots"))]);
    repository.commit("fourth", &[("README.md", "b\n")]);
    let check = |code: i32, first: &str, location: &str| {
        let output = repository.script("diff.sh", &["HEAD^1", "clusters", "diff.md"], &variables);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let written = fs::read_to_string(repository.path("diff.md")).unwrap();
        assert!(written.starts_with(first) && written.contains(location), "{written}");
        assert!(fs::read_to_string(repository.path("summary.md")).unwrap().ends_with(&written));
        assert!(stderr(&output).contains(location.trim()), "{}", stderr(&output));
    };
    check(
        1,
        "What changes cannot be shown, because pgrender cannot render the files of this change.\n\n    ",
        ".yaml:8:",
    );
    // Whoever repairs it must not be stopped.
    repository.commit("fifth", &[("clusters/hippo.yaml", &cluster("2Gi"))]);
    let base = "What changes cannot be shown, because pgrender cannot render what is in the commit to compare with.";
    check(0, base, "\n    HEAD^1:clusters/hippo.yaml:8:");
    fs::remove_dir_all(repository.path("clusters")).unwrap();
    check(0, base, "\n    HEAD^1:clusters/hippo.yaml:8:");
}

#[test]
fn a_comment_is_written_once_and_then_changed() {
    let (Some(python), Some(_), Some(_)) = (tools::program("python3"), tools::program("curl"), tools::program("jq"))
    else {
        return;
    };
    for (service, list, one, change) in [
        ("github", "/repos/a/b/issues/7/comments", "/repos/a/b/issues/comments/101", "PATCH"),
        ("gitlab", "/projects/3/merge_requests/7/notes", "/projects/3/merge_requests/7/notes/101", "PUT"),
    ] {
        let repository = Repository::new();
        let log = repository.path("log");
        let _server = processes::start(Command::new(&python).args(["-c", SERVER]), &log);
        processes::wait_for(&log, "port ");
        let requests = || fs::read_to_string(&log).unwrap();
        let port = requests().trim().strip_prefix("port ").unwrap().to_owned();
        let address = format!("http://127.0.0.1:{port}");
        let variables = [
            ("GITHUB_ACTIONS", if service == "github" { "true" } else { "" }),
            ("GITHUB_API_URL", &address),
            ("GITHUB_REPOSITORY", "a/b"),
            ("GITHUB_TOKEN", "token-1"),
            ("PULL_REQUEST", "7"),
            ("CI_API_V4_URL", &address),
            ("CI_PROJECT_ID", "3"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("PGRENDER_NOTE_TOKEN", "token-1"),
        ];
        let too_long = format!("<details>\n\n```diff\n{}```\n\n</details>\n", "+ éé\n".repeat(30_000));
        for text in ["# First \"quoted\"\n", too_long.as_str()] {
            fs::write(repository.path("diff.md"), text).unwrap();
            let output = repository.script("comment.sh", &["diff.md"], &variables);
            assert!(output.status.success(), "{service}: {}", stderr(&output));
        }
        let requests = requests();
        let requests: Vec<&str> = requests.lines().skip(1).collect();
        let token = if service == "github" { "Bearer token-1" } else { "token-1" };
        assert_eq!(requests.len(), 8, "{requests:?}");
        assert_eq!(requests[0], format!("GET /user {token}"));
        assert!(requests[1].starts_with(&format!("GET {list}?per_page=100")), "{requests:?}");
        assert!(requests[2].contains("&page=2 "), "{requests:?}");
        assert_eq!(requests[3], format!("POST {list} {token}"));
        assert_eq!(requests[7], format!("{change} {one} {token}"));
        let comments = success(Command::new("curl").args(["--silent", &format!("{address}{list}?page=2")]));
        let comments: Value = serde_json::from_str(&comments).unwrap();
        assert_eq!(comments.as_array().unwrap().len(), 1);
        let body = comments[0]["body"].as_str().unwrap();
        assert!(body.starts_with("<!-- written by pgrender diff -->\n<details>\n\n```diff\n") && body.len() < 65_536);
        assert!(body.contains("\n+ éé\n```\n\n</details>\n\nThe rest is too long"), "{}", &body[59_000..]);
        assert!(!body.contains('\u{fffd}'));
    }
}

/// Runs what the pipelines run, except what needs GitHub or GitLab.
#[test]
fn the_steps_of_the_pipelines_run() {
    let workflow = parsed("github/pgrender.yaml");
    let steps = workflow["jobs"]["pgrender"]["steps"].as_array().unwrap();
    let of_github: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let pipeline = parsed("gitlab/pgrender.yml");
    let of_gitlab: Vec<&str> =
        pipeline["pgrender"]["script"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for steps in [of_github, of_gitlab] {
        let repository = Repository::new();
        let mut ran = 0;
        for step in steps.iter().filter(|step| step.starts_with("ci/") && !step.contains("comment.sh")) {
            if step.contains("diff.sh") && !has_diff() {
                continue;
            }
            ran += 1;
            let mut shell = repository.command("bash");
            let output =
                run(shell.args(["-euo", "pipefail", "-c", step]).env("CI_MERGE_REQUEST_DIFF_BASE_SHA", "HEAD^1"));
            assert!(output.status.success(), "{step}: {}", stderr(&output));
        }
        assert!(ran > 0, "{steps:?}");
    }
    for step in steps.iter().filter_map(|step| step["uses"].as_str()) {
        let commit = step.split_once('@').unwrap().1;
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{step} is not pinned");
    }
}

#[test]
fn the_pipelines_are_those_of_github_and_gitlab() {
    let Some(check) = tools::program("check-jsonschema") else { return };
    for arguments in [
        &["--builtin-schema", "vendor.github-workflows", "github/pgrender.yaml"][..],
        &["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", "gitlab/pgrender.yml"],
    ] {
        success(Command::new(&check).args(arguments).current_dir(Path::new(ROOT).join("functions/ci")));
    }
    for name in ["check.sh", "diff.sh", "comment.sh"] {
        let mode = fs::metadata(Path::new(ROOT).join("functions/ci").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name}");
    }
}

#[test]
fn pre_commit_checks_what_is_committed() {
    let Some(pre_commit) = tools::program("pre-commit") else { return };
    success(Command::new(&pre_commit).args(["validate-manifest", ".pre-commit-hooks.yaml"]).current_dir(ROOT));
    let repository = Repository::new();
    let try_hook = || {
        let mut command = repository.command(pre_commit.to_str().unwrap());
        command.args(["try-repo", ROOT, "pgrender-check-system", "--all-files", "--verbose", "--color=never"]);
        // The clone of this repository may belong to another user.
        command.envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")]);
        run(command.env("PRE_COMMIT_HOME", repository.path(".git/pre-commit")))
    };
    let good = try_hook();
    assert!(good.status.success() && stdout(&good).contains("no problems in 1 cluster"), "{}", stdout(&good));
    repository.commit("third", &[("clusters/hippo.yaml", &cluster("lots"))]);
    let bad = try_hook();
    assert_eq!(bad.status.code(), Some(1));
    assert!(stdout(&bad).contains(" --> ./clusters/hippo.yaml:8:"), "{}", stdout(&bad));
}
