//! What is known of images by their name.

/// A name without its tag, and the tag.
pub(super) fn reference(image: &str) -> (&str, Option<&str>) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

/// The name of an official image of Docker, wherever a copy of it is taken from.
pub(super) fn official(name: &str) -> Option<&str> {
    let short = [
        "docker.io/library/",
        "index.docker.io/library/",
        "public.ecr.aws/docker/library/",
        "mirror.gcr.io/library/",
        "docker.io/",
        "library/",
    ]
    .iter()
    .find_map(|start| name.strip_prefix(start))
    .unwrap_or(name);
    (!short.contains('/')).then_some(short)
}

/// Whether an image runs as root unless told otherwise; none if that is not known.
pub(super) fn base_user(image: &str) -> Option<bool> {
    let (name, tag) = reference(image.split('@').next().unwrap_or(image));
    let tag = tag.unwrap_or_default();
    if let Some(name) = official(name) {
        let root = [
            "alpine",
            "amazonlinux",
            "bash",
            "buildpack-deps",
            "busybox",
            "debian",
            "fedora",
            "golang",
            "httpd",
            "nginx",
            "node",
            "oraclelinux",
            "pypy",
            "python",
            "rockylinux",
            "almalinux",
            "rust",
            "ubuntu",
            "caddy",
            "centos",
        ];
        return root.contains(&name).then_some(true);
    }
    if name.contains("/distroless/") {
        return Some(!tag.contains("nonroot"));
    }
    if name.contains("nonroot") || name.contains("chainguard/") || name.contains("unprivileged") {
        return Some(false);
    }
    let root = [
        "tiangolo/uvicorn-gunicorn",
        "tiangolo/uvicorn-gunicorn-fastapi",
        "tiangolo/uvicorn-gunicorn-starlette",
        "continuumio/miniconda3",
        "astral-sh/uv",
    ];
    root.iter().any(|known| name == *known || name.ends_with(&format!("/{known}"))).then_some(true)
}
