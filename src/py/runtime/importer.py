"""Finds the Python sources that are embedded in the library. Executed once, at start."""

import importlib.machinery
import sys

import _oml_epe

_PACKAGE = "_oml_epe_runtime"


class RuntimeImporter:
    """Imports `_oml_epe_runtime.<name>`, and `oml`, from the library."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname == _PACKAGE:
            return importlib.machinery.ModuleSpec(fullname, RuntimeImporter, is_package=True)
        if fullname != "oml" and not fullname.startswith(_PACKAGE + "."):
            return None
        name = fullname.rpartition(".")[2]
        if _oml_epe.runtime_source(name) is None:
            return None
        origin = f"<oml_epe runtime {name}>"
        return importlib.machinery.ModuleSpec(fullname, RuntimeImporter, origin=origin)

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        spec = module.__spec__
        if spec.origin is None:
            return
        source = _oml_epe.runtime_source(spec.name.rpartition(".")[2])
        exec(compile(source, spec.origin, "exec", dont_inherit=True), module.__dict__)


sys.meta_path.insert(0, RuntimeImporter)
