"""The developer's Reload: what was changed in any file of the library is there, and nothing of before goes on."""

import shutil
import sys
from pathlib import Path

import pytest

from Patience import PATIENCE_S

PRODUCT = Path(__file__).parents[2] / "ProSTRegistration"


@pytest.fixture
def copied(driver, tmp_path, monkeypatch):
    """The module and its library as a copy that may be changed, loaded; (folder, widget object)."""
    for name in ("ProSTRegistration.py", "ProSTRegistrationLib", "Resources", "prostreg"):
        source = PRODUCT / name
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        (shutil.copytree(source, tmp_path / name, ignore=ignored) if source.is_dir() else shutil.copy(source, tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("ProSTRegistrationLib", "prostreg")]:
        del sys.modules[name]
    return tmp_path, driver.load(tmp_path / "ProSTRegistration.py")


def edit(path, old, new):
    """Changes a source file; its compiled copy, which goes by whole seconds and size, goes too."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


def panelNow(facade):
    return facade.moduleManager.module("ProSTRegistration").widgetRepresentation().self().panel


def test_a_changed_file_of_library_or_engine_is_loaded(driver, facade, copied):
    folder, widget = copied
    assert "No CT is chosen" in widget.ui.imagesStatusLabel.text
    edit(folder / "ProSTRegistrationLib" / "Nodes" / "InputChecks.py", "No CT is chosen", "Still no CT is chosen")
    edit(folder / "prostreg" / "errors.py", "class InputError", "RELOADED = True\n\n\nclass InputError")
    widget.onReload()
    driver.pump()
    assert "Still no CT is chosen" in panelNow(facade).ui.imagesStatusLabel.text
    assert sys.modules["prostreg.errors"].RELOADED
    loaded = [module for name, module in sys.modules.items() if name.startswith("ProSTRegistrationLib.")]
    assert all(Path(module.__file__).is_relative_to(folder) for module in loaded)


def test_nothing_of_before_goes_on(driver, facade, copied):
    _, widget = copied
    panel, status = widget.panel, []
    panel.logic.client.request("status", onReply=lambda content, _: status.append(content))
    driver.pump(lambda: status, PATIENCE_S)
    process = panel.logic.client.source._process
    assert process.poll() is None
    assert list(widget.Observations)
    assert list(panel.Observations)
    widget.onReload()
    driver.pump()
    assert process.poll() is not None
    assert list(widget.Observations) == list(panel.Observations) == []
    assert not panel._timer.active
    refreshed = []
    panel.steps = [type("Step", (), {"refresh": lambda self: refreshed.append(self)})()]
    facade.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "New")
    panelNow(facade).parameters.seed = 5
    facade.scene.InvokeEvent(facade.scene.EndBatchProcessEvent)
    driver.pump(0.1)
    assert refreshed == []


def test_a_file_that_cannot_be_read_is_mended_and_reloaded(driver, facade, copied):
    folder, widget = copied
    path = folder / "ProSTRegistrationLib" / "Logic.py"
    edit(path, "class Logic:", "class Logic")
    with pytest.raises(SyntaxError):
        widget.onReload()
    edit(path, "class Logic\n", "class Logic:\n")
    widget.onReload()
    driver.pump()
    assert "No CT is chosen" in panelNow(facade).ui.imagesStatusLabel.text


def test_the_panel_in_front_goes_on_being_in_front(driver, facade, copied):
    """qSlicerScriptedLoadableModuleWidget::reload sets the module up anew, and does not enter it again."""
    _, widget = copied
    widget.onReload()
    driver.pump()
    fresh = panelNow(facade)
    assert fresh is not widget.panel
    assert fresh.isEntered
    assert fresh.ui.environmentLabel.text
    driver.leave()
    facade.moduleManager.module("ProSTRegistration").widgetRepresentation().self().onReload()
    driver.pump()
    assert not panelNow(facade).isEntered
