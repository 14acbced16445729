"""What a function finds around it: environment variables, the runtime's own packages, and nothing of the host.

Variables: AWS Lambda developer guide, "Defined runtime environment variables". Packages: what the Python runtime
includes, that is boto3 and what it needs; anything else a function imports must be inside its zip, here as on AWS.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from infra_fixtures.data_plane.lambda_runtime.definition import FunctionDefinition
from infra_fixtures.processes.walked_tree import TREE_VARIABLE
from infra_fixtures.run_layout import RUN_ID_VARIABLE, RunLayout

RUNTIME_PACKAGES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "runtime_client",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)


def lay_out_runtime(directory: Path) -> None:
    """Make Lambda's /var/runtime: links to the packages that AWS's Python runtime brings, and to no other."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory.chmod(0o755)
    for name in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        link = directory / source.name
        if not link.is_symlink():
            link.symlink_to(source)


def furnish(uid: int | None, *, within: Path, scratch: Path) -> None:
    """Make the directories of a region's functions, where their user `uid` (None: this process's own) may enter.

    Strangers stop at the run's work directory. What the workers may write to is `scratch` alone, as /tmp on AWS.
    """
    for directory in (within.parent, within, scratch):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
    scratch.chmod(0o700)
    if uid is not None:
        os.chown(scratch, uid, uid)


def environment(
    layout: RunLayout,
    region: str,
    definition: FunctionDefinition,
    *,
    task_root: Path,
    runtime_dir: Path,
    scratch: Path,
    runtime_api: str,
    log_stream: str,
    provisioned: bool,
) -> dict[str, str]:
    """The whole environment of a worker: built from nothing, so that nothing of the host leaks in.

    The run id and the process tree's name are there so that the run's supervisor and watchdog find every worker.
    A function may override no reserved variable; AWS refuses such a configuration, here the service's value wins.
    """
    runtime = f"AWS_Lambda_{definition.runtime}"
    key = layout.credentials.of_role(definition.role)
    return {
        **definition.environment,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "PYTHONUTF8": "1",
        "TZ": ":UTC",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "_HANDLER": definition.handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": key.token,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": layout.region(region).egress.url,
        "AWS_EXECUTION_ENV": runtime,
        "AWS_LAMBDA_FUNCTION_NAME": definition.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(definition.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": definition.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if provisioned else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": definition.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        RUN_ID_VARIABLE: layout.run_id,
        **({TREE_VARIABLE: os.environ[TREE_VARIABLE]} if TREE_VARIABLE in os.environ else {}),
    }
