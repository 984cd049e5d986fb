"""What is known of a cluster beside its row: regions, studies, and all at a glance."""

from __future__ import annotations

import math
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.api.studies import (
    contributors,
    find_activations,
    has_activations,
    leave_out_each,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables.clusters import save_studies
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.maps.results import result_of
from napari_neurosynth_results.sources.atlases.catalog import KNOWN_ATLASES
from napari_neurosynth_results.sources.atlases.locations import find_location
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.effects import find_effects
from napari_neurosynth_results.statistics.clusters.regions import atlas_labels
from napari_neurosynth_results.statistics.studies.contributors import Contributors
from napari_neurosynth_results.statistics.studies.leave_one_out import LeaveOneOut
from napari_neurosynth_results.viewer.clusters.atlas_choice import (
    ATLAS_KEY,
    NONE,
    choose_atlas,
    chosen_atlas,
    fetch_atlas,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    add_survival,
    clusters_of,
    name_by,
)
from napari_neurosynth_results.viewer.foci import (
    foci_layers,
    light_up,
    show_foci,
    studies_behind,
    studies_of,
)
from napari_neurosynth_results.viewer.settings import preferred_atlas
from napari_neurosynth_results.widgets.clusters.evidence_panels import (
    EffectPanel,
    PartsPanel,
)
from napari_neurosynth_results.widgets.clusters.studies import (
    StudyHeatMap,
    StudyPanel,
)
from napari_neurosynth_results.widgets.common.layout import (
    ElidedLabel,
    PlainLabel,
    wrap,
)
from napari_neurosynth_results.widgets.common.row_table import (
    Column,
    RowModel,
    TableView,
    records,
)
from napari_neurosynth_results.widgets.common.save_dialogs import (
    TABLES,
    ask_and_save,
    beside_window,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_neurosynth_results.anatomy.atlas import Atlas
    from napari_neurosynth_results.maps.studies import Studies
    from napari_neurosynth_results.statistics.clusters.true_discoveries import (
        ClosedTesting,
    )

_FILE = object()
_IMAGES = "Label image (*.nii *.nii.gz *.hdr *.img *.mgz *.mgh)"
_SHORTEST = 16
_NONE_CHOSEN = "Choose a cluster in the table above."
#: Shares of more foci are worked out on another thread.
_MOST_FOCI_AT_ONCE = 1000
#: Percent of a region that are active at least, and the same in words.
Proven = tuple[float, str]


class AtlasBox(QComboBox):
    """A list of atlases: packaged, known by name, layers of labels, files.

    Parameters
    ----------
    viewer : Viewer
        Whose clusters are named.
    """

    #: Another atlas names the clusters now.
    chosen = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setAccessibleName("Atlas")
        self.setToolTip("The atlas that clusters and places are named by")
        self.setMinimumContentsLength(_SHORTEST)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.activated.connect(self._choose)
        self.refresh()

    def showPopup(self) -> None:
        """Look for atlases just before they are listed."""
        self.refresh()
        super().showPopup()

    def refresh(self, event: object = None) -> None:
        """List what can be chosen, and what is."""
        self.clear()
        self.addItem("Desikan-Killiany with cerebellum", "default")
        for known in KNOWN_ATLASES.values():
            away = "" if find_location(known) else " (download with nilearn)"
            self.addItem(f"{known.title}{away}", known.key)
        for layer in self._layers():
            self.addItem(f"layer {layer.name}", layer)
        self.addItem("Label image...", _FILE)
        self.addItem("none", NONE)
        self._mark()

    def _layers(self) -> list[Any]:
        from napari.layers import Labels

        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels) and clusters_of(layer) is None
        ]

    def _mark(self) -> None:
        """Show what is chosen."""
        layers = [one for one in self._layers() if ATLAS_KEY in one.metadata]
        now = layers[0] if layers else preferred_atlas()[0]
        for row in range(self.count()):
            if self.itemData(row) is now or self.itemData(row) == now:
                self.setCurrentIndex(row)
                return
        # A file of the preferences.
        self.insertItem(0, str(now), now)
        self.setCurrentIndex(0)

    def _choose(self, row: int) -> None:
        from napari_neurosynth_results.viewer.progress_bar import show_error

        what = self.itemData(row)
        if what is _FILE:
            what = self._ask()
        try:
            if what:
                self.choose(what)
        except CancelledError:
            pass
        except ResultsError as error:
            show_error(str(error))
        self.refresh()

    def choose(self, what: Any) -> None:
        """Name clusters and places by another atlas.

        Parameters
        ----------
        what : Labels or str
            A layer, ``default``, ``none``, a known name, or a path. A known atlas that
            is not on this machine is downloaded.

        Raises
        ------
        CancelledError
            When the user cancelled the download.
        ResultsError
            When it cannot be had; the choice stays as it was.
        """
        known = KNOWN_ATLASES.get(what) if isinstance(what, str) else None
        if known is not None and find_location(known) is None:
            fetch_atlas(known.key)
        choose_atlas(self._viewer, what)
        name_by(self._viewer, chosen_atlas(self._viewer))
        self.chosen.emit()

    def _ask(self) -> str:
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose the label image of an atlas", "", _IMAGES
        )
        return str(path)


_REGIONS = (
    Column(
        "Region",
        "Region of the atlas that names the clusters",
        value=itemgetter("region"),
    ),
    Column(
        "Voxels",
        "Voxels of the cluster in the region",
        ",d",
        value=itemgetter("n_voxels"),
    ),
    Column(
        "%",
        "Share of the cluster that lies in the region",
        ".1f",
        value=itemgetter("percent"),
        bar=True,
    ),
    Column(
        "Region TDP",
        "How much of the whole region of the atlas is active, at least: its true "
        "discovery proportion, cluster or not. With no cluster chosen, all regions are "
        "listed of which something is proven",
        "at least",
        value=itemgetter("tdp_percent"),
        tooltip=itemgetter("told"),
    ),
)


class ClusterDetails(QTabWidget):
    """Tabs beside the table of clusters.

    Parameters
    ----------
    viewer : Viewer
        Whose foci are lit up.
    """

    #: Label of a cluster that was clicked in the heat map.
    picked = Signal(int)

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("About the clusters")
        self._viewer = viewer
        self._clusters: ClusterSet | None = None
        self._label = 0
        #: What was gathered, for which clusters and by which studies.
        self._gathered: tuple[ClusterSet, Studies | None, Contributors] | None = None
        #: What became of clusters without each experiment, once that was asked.
        self._left_out: LeaveOneOut | None = None
        #: How much of each region is active, by what, and by which atlas.
        self._proven: tuple[ClosedTesting, Atlas, dict[str, Proven]] | None = None
        self.regions = TableView(RowModel(_REGIONS, self), self, sortable=True)
        self.parts = PartsPanel(viewer, self)
        self.studies = StudyPanel(self)
        self.heat = StudyHeatMap(self)
        self.measure = QComboBox(self)
        self.measure.setToolTip("What the heat map shows of each study")
        self.measure.setAccessibleName("Measure of the heat map")
        self.measure.addItems(["Foci", "Share of the statistic, %"])
        self.atlas = AtlasBox(viewer, self)
        self.of = ElidedLabel(self)
        self.of.say(_NONE_CHOSEN)
        self.addTab(self._framed(self.atlas, self.of, self.regions), "Regions")
        self.addTab(self.parts, "Active parts")
        self.addTab(self.studies, "Studies")
        self.nothing = wrap(PlainLabel())
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.addTab(
            self._framed(self.nothing, self.measure, self.heat), "Studies x clusters"
        )
        self.effect = EffectPanel(self)
        self.addTab(self.effect, "Effect")
        self.currentChanged.connect(self._fill)
        self.studies.lit_changed.connect(self._light)
        self.studies.studies_received.connect(self._fill)
        self.studies.save_requested.connect(self._save_studies)
        self.studies.leave_out_requested.connect(self._leave_out)
        self.heat.picked.connect(self._pick)
        self.measure.currentIndexChanged.connect(self._fill)
        # Bound methods are held weakly by napari: closing the widget ends them.
        viewer.layers.events.inserted.connect(self._fill)
        viewer.layers.events.removed.connect(self._fill)

    def _framed(self, *widgets: QWidget) -> QWidget:
        frame = QWidget(self)
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(4, 4, 4, 4)
        for widget in widgets:
            layout.addWidget(widget)
        return frame

    def show_clusters(self, clusters: ClusterSet | None, label: int) -> None:
        """Show other clusters, and one of them.

        Parameters
        ----------
        clusters : ClusterSet or None
            The clusters of a map.
        label : int
            The chosen one, 0 for none.
        """
        self._clusters, self._label = clusters, label
        self._fill()

    def choose(self, label: int) -> None:
        """Show another one of the clusters, 0 for none."""
        if label != self._label:
            self._label = label
            self._fill()

    def setVisible(self, wanted: bool) -> None:
        """Catch up with what happened while nobody looked."""
        super().setVisible(wanted)
        self._fill()

    # --- what is known ----------------------------------------------------------------

    @property
    def contributors(self) -> Contributors | None:
        """Who is behind the clusters that are shown; gathered when first asked for."""
        clusters = self._clusters
        if clusters is None:
            return None
        studies = self._studies()
        if self._gathered is None or self._gathered[:2] != (clusters, studies):
            results = result_of(clusters.statmap)
            left_out = self._left_out
            if (
                left_out is not None
                and left_out.clusters.labelled is not clusters.labelled
            ):
                left_out = None
            found = contributors(
                results,
                clusters,
                studies=studies,
                left_out=left_out,
                wait=not self._is_long(studies),
            )
            self._gathered = clusters, studies, found
        return self._gathered[2]

    @staticmethod
    def _is_long(studies: Studies | None) -> bool:
        """Whether a window would stand still while shares are worked out."""
        return studies is not None and len(studies.foci) > _MOST_FOCI_AT_ONCE

    def _studies(self) -> Studies | None:
        assert self._clusters is not None
        return studies_behind(self._viewer, result_of(self._clusters.statmap))

    def _work_out_shares(self) -> None:
        """Rebuild a large meta-analysis on another thread, and fill in the shares."""
        clusters, job = self._clusters, self.studies.background_job
        studies = self._studies() if clusters is not None else None
        if clusters is None or studies is None or not self._is_long(studies):
            return
        results = result_of(clusters.statmap)
        if job.busy or has_activations(results, clusters, studies):
            return

        def done(found: object = None) -> None:
            self._gathered = None
            self._fill()

        job.start(
            lambda one: find_activations(results, clusters, studies, one),
            "Shares",
            done=done,
            # Why there are none is told among the notices.
            failed=done,
        )

    def _leave_out(self) -> None:
        """Estimate the meta-analysis anew without each experiment."""
        clusters, job = self._clusters, self.studies.background_job
        if clusters is None or job.busy:
            return
        results, studies = result_of(clusters.statmap), self._studies()
        job.start(
            lambda one: leave_out_each(results, clusters, studies=studies, job=one),
            "Leave one out",
            done=self._receive_left_out,
            failed=self._tell_failed,
        )
        # Not before: the job asks what had the keyboard.
        self.studies.leave_out.setEnabled(False)

    def _receive_left_out(self, left_out: LeaveOneOut) -> None:
        self._left_out, self._gathered = left_out, None
        # Clusters of another threshold have come since: nothing is known of them.
        add_survival(self._viewer, left_out)
        self._fill()

    def _tell_failed(self, error: ResultsError) -> None:
        self._fill()
        if not isinstance(error, CancelledError):
            self.studies.cautions.setText(f"No experiment was left out. {error}")
            self.studies.cautions.show()

    def _fill(self, event: object = None) -> None:
        """Fill the tab that is seen; the others wait until they are."""
        if self.isHidden():
            # A drawer that is shut need not keep up with a slider.
            return
        clusters, label = self._clusters, self._label
        known = clusters is not None and find_effects(clusters.statmap) is not None
        self.setTabVisible(self.indexOf(self.effect), known)
        if self.currentWidget() is self.effect:
            self.effect.show_cluster(clusters, label)
            return
        if self.currentWidget() is self.parts:
            self.parts.show_cluster(clusters, label)
            return
        if self.currentIndex() == 0:
            self.regions.rows.show(self._region_rows(clusters, label))
            chosen = clusters.names[label - 1] if clusters and label else _NONE_CHOSEN
            self.of.say(str(chosen))
            return
        behind = self.contributors
        self._work_out_shares()
        why = "\n".join(behind.notices) if behind is not None and not behind else ""
        if self.currentWidget() is self.studies:
            results = result_of(clusters.statmap) if clusters is not None else None
            self.studies.offer(results, "Neurosynth Compose")
            self.studies.show_cluster(behind, label, why)
        else:
            self.nothing.setText(why)
            self.nothing.setVisible(bool(why))
            self.heat.setVisible(not why)
            tables = (behind.foci, behind.shares) if behind is not None else (None,)
            self.measure.setVisible(all(table is not None for table in tables))
            by_shares = self.measure.currentIndex() == 1
            self.heat.show_contributors(behind, by_shares=by_shares)

    def _region_rows(
        self, clusters: ClusterSet | None, label: int
    ) -> list[dict[str, Any]]:
        """List the regions of a cluster; of none, all of which something is proven."""
        if clusters is None:
            return []
        proven = self._prove_regions(clusters)
        rows: list[dict[str, Any]] = [
            {"region": name, "n_voxels": None, "percent": None}
            for name, (percent, _) in proven.items()
            if percent > 0
        ]
        # Shares are not counted at each step of a slider while no cluster is chosen.
        if label:
            rows = records(clusters.regions[clusters.regions["label"] == label])
        for row in rows:
            percent, told = proven.get(row["region"], (math.nan, ""))
            row |= {"tdp_percent": percent, "told": told}
        return rows

    def _prove_regions(self, clusters: ClusterSet) -> dict[str, Proven]:
        """Say how much of each region of the atlas is active, most first."""
        testing, atlas = clusters.proven.testing, clusters.atlas
        if testing is None or atlas is None:
            return {}
        if self._proven is None or self._proven[:2] != (testing, atlas):
            labels = atlas_labels(atlas, clusters.statmap.grid)
            label, n_voxels, counts = testing.in_places(labels)
            found = sorted(
                (-100 * count / n, atlas.name_of(one), testing.tell(n, count))
                for one, n, count in zip(
                    *(x.tolist() for x in (label, n_voxels, counts)), strict=True
                )
            )
            told = {name: (-percent, text) for percent, name, text in found}
            self._proven = testing, atlas, told
        return self._proven[2]

    # --- both ways --------------------------------------------------------------------

    def _pick(self, label: int, experiment: str) -> None:
        self.picked.emit(label)
        if experiment:
            self.setCurrentWidget(self.studies)
            self.studies.choose(experiment)

    def _light(self, study_ids: frozenset[str] | None) -> None:
        """Light up the foci of a study; show them first where nobody did."""
        layers = [
            layer
            for layer in foci_layers(self._viewer)
            if studies_of(layer) is self._studies()
        ]
        if not layers and study_ids is not None:
            studies = self._studies()
            if studies is not None and studies.included:
                layers = [show_foci(self._viewer, studies)]
        for layer in layers:
            light_up(layer, study_ids)

    def _save_studies(self) -> None:
        if behind := self.contributors:
            suggested = f"{behind.clusters.statmap.key}_studies.tsv"
            save = beside_window(partial(save_studies, behind))
            ask_and_save(self, "Save the studies", suggested, TABLES, save)
