"""Records in the shapes of NeuroVault's and Compose's own."""

from __future__ import annotations

from typing import Any

#: Free-form keys that every collection has, mostly null.
_COLLECTION_NULLS = (
    *("type_of_design", "number_of_imaging_runs", "length_of_runs"),
    *("optimization", "subject_age_mean", "handedness"),
    *("inclusion_exclusion_criteria", "group_description", "scanner_make"),
    *("field_strength", "pulse_sequence", "slice_thickness"),
    *("repetition_time", "echo_time", "software_package", "software_version"),
    *("quality_control", "used_motion_correction"),
    *("nonlinear_transform_type", "coordinate_space"),
    *("target_template_image", "target_resolution", "smoothing_fwhm"),
    *("hemodynamic_response_function", "group_model_type"),
    *("group_inference_type"),
)
_IMAGE_NULLS = (
    *("figure", "handedness", "age", "sex", "race", "ethnicity", "BMI"),
    *("fat_percentage", "waist_hip_ratio", "reduced_representation"),
)
_STATISTIC_NULLS = (
    *("cognitive_paradigm_cogatlas", "cognitive_contrast_cogatlas"),
    *("number_of_subjects", "statistic_parameters", "smoothness_fwhm"),
    *("contrast_definition"),
)
USER = "Örnek Kullanici"


def collection_record(
    number: int, name: str, base: str, **fields: Any
) -> dict[str, Any]:
    """Return a collection as `/api/collections/<id>/` does."""
    record: dict[str, Any] = {
        "id": number,
        "url": f"{base}/collections/{number}/",
        "download_url": f"{base}/collections/{number}/download",
        "owner": 4128,
        "owner_name": "compose-bot",
        "contributors": "",
        "number_of_images": 0,
        "name": name,
        "publication_status": None,
        "DOI": None,
        "preprint_DOI": None,
        "authors": None,
        "paper_url": None,
        "journal_name": None,
        "description": "",
        "full_dataset_url": None,
        "private": False,
        "add_date": "2026-02-18T14:38:48.931077+01:00",
        "modify_date": "2026-02-18T14:38:57.102938+01:00",
        "communities": [],
    }
    return record | dict.fromkeys(_COLLECTION_NULLS) | fields


def image_record(
    number: int, filename: str, size: int, base: str, place: str, **fields: Any
) -> dict[str, Any]:
    """Return an image as a list of images does; `place` is the collection or token."""
    media = f"{base}/media/images/{place}"
    record: dict[str, Any] = {
        "url": f"{base}/images/{number}/",
        "id": number,
        "file": f"{media}/{filename}",
        "collection": f"{base}/collections/{place}/",
        "collection_id": 0,
        "file_size": size,
        "map_type": "other",
        "analysis_level": "meta-analysis",
        "name": filename,
        "description": "",
        "add_date": "2026-02-18T14:38:49.707539+01:00",
        "modify_date": "2026-02-18T14:38:57.316833+01:00",
        "is_valid": True,
        "surface_left_file": f"{media}/{number}.L.func.gii",
        "surface_right_file": f"{media}/{number}.R.func.gii",
        "data_origin": "volume",
        "target_template_image": "GenericMNI",
        "subject_species": "homo sapiens",
        "thumbnail": f"{media}/glass_brain_{number}.jpg",
        "is_thresholded": True,
        "perc_bad_voxels": 94.4,
        "not_mni": False,
        "brain_coverage": 21.9,
        "perc_voxels_outside": 0.0,
        "modality": "Other",
        "image_type": "statistic_map",
    }
    return (
        record | dict.fromkeys(_IMAGE_NULLS) | dict.fromkeys(_STATISTIC_NULLS) | fields
    )


def specification(**fields: Any) -> dict[str, Any]:
    """Return what a meta-analysis was asked to do."""
    return {
        "id": "Ahx3YQYb8Jx4",
        "type": "CBMA",
        "estimator": {
            "type": "ALE",
            "args": {"null_method": "approximate", "**kwargs": {}},
        },
        "database_studyset": None,
        "filter": "included",
        "corrector": {
            "type": "FWECorrector",
            "args": {"method": "montecarlo", "n_iters": 5000},
        },
        "conditions": ["true"],
        "weights": [1.0],
    } | fields


def studyset(number: str = "ToisksSserJp") -> dict[str, Any]:
    """Return a studyset of three studies: MNI, Talairach and unknown foci."""

    def point(where: Any, space: str | None) -> dict[str, Any]:
        values = [{"kind": "T", "value": 5.22}]
        return {"id": "p", "coordinates": where, "space": space, "values": values}

    def study(number: str, name: str, year: Any, points: list[Any]) -> dict[str, Any]:
        analysis = {"id": f"a{number}", "name": f"contrast of {name}", "points": points}
        return {
            "id": number,
            "name": name,
            "authors": "A. Author; B. Writer",
            "year": year,
            "doi": "10.1/x",
            "pmid": "123",
            "publication": "J",
            "metadata": {},
            "analyses": [analysis],
        }

    return {
        "id": number,
        "name": "Studyset for pain",
        "studies": [
            study("s1", "Heat", 2012, [point([38, 4, 2], "MNI")]),
            study("s2", "Cold", None, [point([0, 0, 0], "TAL"), point(None, "MNI")]),
            study("s3", "Other", 2020, [point([1, 2, 3], "UNKNOWN")]),
        ],
    }


def annotation(number: str = "CeQLLXWepB3J") -> dict[str, Any]:
    """Return which analyses are included: all but the third."""
    notes = [
        {"analysis": "as1", "study": "s1", "note": {"included": True}},
        {"analysis": "as2", "study": "s2", "note": {"included": True}},
        {"analysis": "as3", "study": "s3", "note": {"included": False}},
    ]
    keys = {"included": {"type": "boolean", "order": 0}}
    return {"id": number, "name": "Annotation", "note_keys": keys, "notes": notes}
