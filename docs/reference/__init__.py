"""Reference pages of the documentation, each written from the one place that knows: nothing of them is kept here."""

from functools import cache

from reference import cluster_file, errors, plugins, roles, verbs


@cache
def generated() -> dict[str, str]:
    """Markdown by its place below the documentation's folder."""
    made = {**verbs.pages(), **roles.pages(), **plugins.pages()}
    made["reference/cluster-file.md"] = cluster_file.page()
    made["troubleshooting.md"] = errors.page()
    return made
