"""Finds the Python sources that are embedded in the library. Executed once, at start."""

import importlib.machinery
import sys

import _oml_epe

_RUNTIME = "_oml_epe_runtime"
_PACKAGES = (_RUNTIME, "oml")
_CLOUDPICKLE = ("cloudpickle.cloudpickle", "joblib.externals.cloudpickle.cloudpickle")


class RuntimeImporter:
    """Imports `_oml_epe_runtime.<name>` and package `oml` from the library."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname in _CLOUDPICKLE:
            return _cloudpickle_spec(fullname, path, target)
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


class _CloudpickleLoader:
    """Loads cloudpickle, and makes it pickle definitions of scripts by value.

    Other interpreters, such as the workers of joblib, cannot import the modules of scripts.
    """

    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        register = getattr(module, "register_pickle_by_value", None)
        if register is not None:  # cloudpickle 2.0 and later
            from _oml_epe_runtime.scripts import package_of_scripts

            register(package_of_scripts())

    def __getattr__(self, name):
        return getattr(self._loader, name)


def _cloudpickle_spec(fullname, path, target):
    spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
    if spec is not None and spec.loader is not None:
        spec.loader = _CloudpickleLoader(spec.loader)
    return spec


sys.meta_path.insert(0, RuntimeImporter)
