"""Records with every key that NeuroVault's own have, so that none is missed."""

from __future__ import annotations

from typing import Any

#: Who made the collections, unless told otherwise.
OWNER = 4128
#: Free-form keys that every collection has, mostly null.
_COLLECTION_NULLS = """
    doi_add_date type_of_design number_of_imaging_runs
    number_of_experimental_units length_of_runs length_of_blocks
    length_of_trials optimization optimization_method subject_age_mean
    subject_age_min subject_age_max handedness proportion_male_subjects
    inclusion_exclusion_criteria number_of_rejected_subjects group_comparison
    group_description scanner_make scanner_model field_strength pulse_sequence
    parallel_imaging field_of_view matrix_size slice_thickness skip_distance
    acquisition_orientation order_of_acquisition repetition_time echo_time
    flip_angle software_package software_version
    order_of_preprocessing_operations quality_control used_b0_unwarping
    b0_unwarping_software used_slice_timing_correction
    slice_timing_correction_software used_motion_correction
    motion_correction_software motion_correction_reference
    motion_correction_metric motion_correction_interpolation
    used_motion_susceptibiity_correction used_intersubject_registration
    intersubject_registration_software intersubject_transformation_type
    nonlinear_transform_type transform_similarity_metric interpolation_method
    object_image_type functional_coregistered_to_structural
    functional_coregistration_method coordinate_space target_template_image
    target_resolution used_smoothing smoothing_type smoothing_fwhm
    resampled_voxel_size intrasubject_model_type intrasubject_estimation_type
    intrasubject_modeling_software hemodynamic_response_function
    used_temporal_derivatives used_dispersion_derivatives used_motion_regressors
    used_reaction_time_regressor used_orthogonalization
    orthogonalization_description used_high_pass_filter high_pass_filter_method
    autocorrelation_model group_model_type group_estimation_type
    group_modeling_software group_inference_type group_model_multilevel
    group_repeated_measures group_repeated_measures_method nutbrain_hunger_state
    nutbrain_food_viewing_conditions nutbrain_food_choice_type
    nutbrain_taste_conditions nutbrain_odor_conditions
"""
#: About the person scanned: every image has these, mostly null.
_IMAGE_NULLS = """
    figure handedness age sex race ethnicity BMI fat_percentage waist_hip_ratio
    mean_PDS_score tanner_stage days_since_menstruation hours_since_last_meal
    bis_bas_score spsrq_score bis11_score reduced_representation
"""
#: Only statistic maps have these.
_STATISTIC_NULLS = """
    cognitive_paradigm_cogatlas cognitive_paradigm_cogatlas_id
    cognitive_contrast_cogatlas cognitive_contrast_cogatlas_id
    number_of_subjects statistic_parameters smoothness_fwhm contrast_definition
    contrast_definition_cogatlas cognitive_paradigm_description_url
    cognitive_paradigm_short_description cognitive_paradigm_name
"""


#: So do these, with values.
_STATISTIC_KEYS = (
    *("map_type", "analysis_level", "modality", "is_thresholded"),
    *("perc_bad_voxels", "not_mni", "brain_coverage", "perc_voxels_outside"),
)
_ADDED = "2026-02-18T14:38:48.931077+01:00"
_MODIFIED = "2026-02-18T14:38:57.102938+01:00"


def collection_record(
    number: int, name: str, base: str, **fields: Any
) -> dict[str, Any]:
    """Return a collection as `/api/collections/<id>/` does."""
    record: dict[str, Any] = {
        "id": number,
        "url": f"{base}/collections/{number}/",
        "download_url": f"{base}/collections/{number}/download",
        "owner": OWNER,
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
    return record | dict.fromkeys(_COLLECTION_NULLS.split()) | fields


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
    nulls = dict.fromkeys(_IMAGE_NULLS.split()) | dict.fromkeys(
        _STATISTIC_NULLS.split()
    )
    return record | nulls | fields


def as_atlas(record: dict[str, Any], labels: str) -> dict[str, Any]:
    """Change an image into an atlas: other keys, and the address of its labels."""
    for key in (*_STATISTIC_NULLS.split(), *_STATISTIC_KEYS):
        record.pop(key, None)
    record |= {"label_description_file": labels, "data": {}, "image_type": "atlas"}
    return record


def as_nidm_map(record: dict[str, Any], pack: str, page: str) -> dict[str, Any]:
    """Change an image into a map of a NIDM-Results pack; `page` is the pack's."""
    for key in (*_STATISTIC_NULLS.split(), "modality"):
        record.pop(key, None)
    inside = record["file"].rsplit("/", 1)[-1]
    record |= {
        "number_of_subjects": None,
        "nidm_results": page,
        "nidm_results_ttl": f"{page}.ttl",
        "description": f"NIDM Results: {pack}.zip > {inside}",
        "data": {},
        "image_type": "NIDM results statistic map",
    }
    return record


def nidm_pack(
    number: int, pack: str, page: str, collection: int, maps: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a pack as `/api/collections/<id>/nidm_results/` lists it."""
    return {
        "id": number,
        "zip_file": f"{page}.zip",
        "ttl_file": f"{page}.ttl",
        "statmaps": [record["url"] for record in maps],
        "url": page,
        "name": pack.removesuffix(".nidm"),
        "description": "",
        "add_date": _ADDED,
        "modify_date": _MODIFIED,
        "polymorphic_ctype": 24,
        "collection": collection,
    }
