//! Which built-in images there are: their names, configuration and files.
//!
//! Each is a Wasm program of ours with the usual behaviour of the image whose name it answers to, and says so in its
//! summary. A new one needs a row here and, if it has a program of its own, a guest in `guest-examples/`.

use crate::builtin::BuiltIn;
use crate::program::ImageFile;

const PATH: (&str, &str) = (
    "PATH",
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
);
/// The module of the shell, which every image has.
pub(crate) const SHELL: &str = "shell";
const SHELL_SUMMARY: &str = "a shell with the usual utilities, one Wasm program; no packages";

/// A shell image: the shell's module answers to every name.
const fn shell(
    name: &'static str,
    aliases: &'static [&'static str],
    cmd: &'static [&'static str],
) -> BuiltIn {
    BuiltIn {
        name,
        aliases,
        summary: SHELL_SUMMARY,
        module: SHELL,
        program_names: &[],
        entrypoint: &[],
        cmd,
        env: &[PATH],
        working_dir: "/",
        exposed_ports: &[],
        files: SHELL_FILES,
        stop_signal: None,
    }
}

pub(crate) static BUILT_INS: [BuiltIn; 15] = [
    BuiltIn {
        name: "nginx",
        aliases: &[
            "nginxinc/nginx-unprivileged",
            "registry.k8s.io/nginx",
            "registry.k8s.io/nginx-slim",
        ],
        summary: "an HTTP server and reverse proxy that reads nginx.conf, written for wasmpod; with the shell",
        module: "nginx",
        program_names: &["nginx"],
        entrypoint: &[],
        cmd: &["nginx", "-g", "daemon off;"],
        env: &[PATH],
        working_dir: "/",
        exposed_ports: &[80],
        files: NGINX_FILES,
        stop_signal: Some("SIGQUIT"),
    },
    shell("debian", &[], &["bash"]),
    shell("ubuntu", &[], &["/bin/bash"]),
    shell(
        "busybox",
        &[
            "registry.k8s.io/busybox",
            "k8s.gcr.io/busybox",
            "gcr.io/google-containers/busybox",
        ],
        &["sh"],
    ),
    shell("alpine", &[], &["/bin/sh"]),
    shell("bash", &[], &["bash"]),
    shell("curlimages/curl", &[], &["curl", "--help"]),
    BuiltIn {
        summary: "holds a pod open; the shell's module",
        ..shell(
            "pause",
            &[
                "registry.k8s.io/pause",
                "k8s.gcr.io/pause",
                "gcr.io/google-containers/pause",
            ],
            &["/pause"],
        )
    },
    BuiltIn {
        summary: "takes processor time and memory on request; the shell's module",
        entrypoint: &["stress"],
        ..shell("stress", &["vish/stress", "polinux/stress"], &["--help"])
    },
    BuiltIn {
        name: "httpd",
        aliases: &[],
        summary: "serves /usr/local/apache2/htdocs on port 80; the program of the image nginx, with the shell",
        module: "nginx",
        program_names: &["httpd-foreground", "httpd", "nginx"],
        entrypoint: &[],
        cmd: &["httpd-foreground"],
        env: &[PATH],
        working_dir: "/usr/local/apache2",
        exposed_ports: &[80],
        files: HTTPD_FILES,
        stop_signal: Some("SIGWINCH"),
    },
    BuiltIn {
        name: "google-samples/hello-app",
        aliases: &[
            "gcr.io/google-samples/hello-app",
            "us-docker.pkg.dev/google-samples/containers/gke/hello-app",
        ],
        summary: "a web server on port 8080 that tells its version and host, written for wasmpod; with the shell",
        module: "hello-app",
        program_names: &["hello-app"],
        entrypoint: &[],
        cmd: &["./hello-app"],
        env: &[PATH],
        working_dir: "/",
        exposed_ports: &[8080],
        files: SHELL_FILES,
        stop_signal: None,
    },
    BuiltIn {
        name: "allingeek/ch6_ipc",
        aliases: &[],
        summary: "a producer and a consumer on one POSIX message queue, written for wasmpod; with the shell",
        module: "ipc",
        program_names: &["ipc"],
        entrypoint: &[],
        cmd: &["./ipc"],
        env: &[PATH],
        working_dir: "/",
        exposed_ports: &[],
        files: SHELL_FILES,
        stop_signal: None,
    },
    BuiltIn {
        name: "wasmpod/ipc-examples",
        aliases: &[],
        summary: "an example in C for each object of POSIX and System V IPC, see docs/ipc.md; with the shell",
        module: "ipc-examples",
        program_names: &["ipc-examples"],
        entrypoint: &["ipc-examples"],
        cmd: &[],
        env: &[PATH],
        working_dir: "/",
        exposed_ports: &[],
        files: SHELL_FILES,
        stop_signal: None,
    },
    BuiltIn {
        name: "wasmpod/http-component",
        aliases: &[],
        summary: "answers HTTP requests as a component of wasi:http, see docs/networking.md; with the shell",
        module: "http-component",
        program_names: &["http-component"],
        entrypoint: &["http-component"],
        cmd: &[],
        env: &[PATH],
        working_dir: "/",
        exposed_ports: &[8080],
        files: SHELL_FILES,
        stop_signal: None,
    },
    BuiltIn {
        name: "training/webapp",
        aliases: &[],
        summary: "a web application that answers \"Hello world!\" on port 5000, written for wasmpod; with the shell",
        module: "webapp",
        program_names: &["python", "python3", "app.py", "webapp"],
        entrypoint: &[],
        cmd: &["python", "app.py"],
        env: &[PATH],
        working_dir: "/opt/webapp",
        exposed_ports: &[5000],
        files: SHELL_FILES,
        stop_signal: None,
    },
];

/// The file `$path` of the guest `$guest`, as it is kept in that guest's `rootfs/`.
macro_rules! rootfs {
    ($guest:literal, $path:literal) => {
        rootfs!($guest, "/rootfs", $path)
    };
    ($guest:literal, $folder:literal, $path:literal) => {
        ImageFile {
            path: $path,
            bytes: include_bytes!(concat!("../../guest-examples/", $guest, $folder, $path)),
            mode: 0o644,
        }
    };
}

/// An empty directory.
const fn directory(path: &'static str) -> ImageFile {
    ImageFile {
        path,
        bytes: &[],
        mode: 0o755,
    }
}

const SHELL_FILES: &[ImageFile] = &[
    rootfs!("shell", "/etc/os-release"),
    rootfs!("shell", "/etc/passwd"),
    rootfs!("shell", "/etc/group"),
];
const NGINX_FILES: &[ImageFile] = &[
    rootfs!("shell", "/etc/passwd"),
    rootfs!("shell", "/etc/group"),
    rootfs!("nginx", "/etc/nginx/nginx.conf"),
    rootfs!("nginx", "/etc/nginx/conf.d/default.conf"),
    rootfs!("nginx", "/etc/nginx/mime.types"),
    rootfs!("nginx", "/usr/share/nginx/html/index.html"),
    rootfs!("nginx", "/usr/share/nginx/html/50x.html"),
    directory("/var/run/"),
    directory("/var/log/nginx/"),
    directory("/var/cache/nginx/"),
];
const HTTPD_FILES: &[ImageFile] = &[
    rootfs!("shell", "/etc/passwd"),
    rootfs!("shell", "/etc/group"),
    rootfs!("nginx", "/httpd-rootfs", "/etc/nginx/nginx.conf"),
    rootfs!("nginx", "/etc/nginx/mime.types"),
    rootfs!(
        "nginx",
        "/httpd-rootfs",
        "/usr/local/apache2/htdocs/index.html"
    ),
    directory("/var/run/"),
    directory("/var/log/nginx/"),
    directory("/var/cache/nginx/"),
];
