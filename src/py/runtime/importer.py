"""Finds the Python sources that are embedded in the library. Executed once, at start."""

import importlib.machinery
import sys

import _oml_epe

_RUNTIME = "_oml_epe_runtime"
_PACKAGES = (_RUNTIME, "oml")


class RuntimeImporter:
    """Imports `_oml_epe_runtime.<name>` and package `oml` from the library."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname.partition(".")[0] not in _PACKAGES:
            return None
        if fullname == _RUNTIME:
            return importlib.machinery.ModuleSpec(fullname, RuntimeImporter, is_package=True)
        is_package = _oml_epe.runtime_source(f"{fullname}.__init__") is not None
        if not is_package and _oml_epe.runtime_source(fullname) is None:
            return None
        origin = f"<oml_epe runtime {fullname}>"
        return importlib.machinery.ModuleSpec(
            fullname, RuntimeImporter, origin=origin, is_package=is_package
        )

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        spec = module.__spec__
        if spec.origin is None:
            return
        name = spec.name if spec.submodule_search_locations is None else f"{spec.name}.__init__"
        source = _oml_epe.runtime_source(name)
        exec(compile(source, spec.origin, "exec", dont_inherit=True), module.__dict__)


sys.meta_path.insert(0, RuntimeImporter)
