"""The security cases, and the tests that hold each of them.

`test_cases.py` holds that the tests exist. A case that has no test says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which somebody could be harmed."""

    name: str
    """Its number in the list of cases."""
    what: str
    """What is tried, and what has to come of it."""
    tests: tuple[str, ...] = ()
    """`file::test` below `tests/`."""
    open_until: str = ""
    """Why there is no test, if there is none."""


CASES: Final = (
    Case(
        "S1",
        "A key is in no byte printed, logged or written, whatever happens.",
        (
            "security/test_canary.py::test_no_key_is_in_any_byte_written",
            "security/test_keys.py::test_a_key_among_the_settings_is_refused_before_it_can_be_written_down",
            "security/test_keys.py::test_the_name_of_a_branch_cannot_be_tried_for_its_key",
            "actors/test_cache_store.py::test_no_key_is_in_any_byte_of_the_file",
            "contracts/test_transport.py::test_what_is_chained_to_an_error_holds_no_key",
            "unit/client/test_secrets.py::test_no_text_of_a_secret_shows_it",
        ),
    ),
    Case(
        "S2",
        "A key with line breaks, non-ASCII or spaces is stripped, or refused unshown.",
        (
            "security/test_hostile_texts.py::test_a_key_that_no_header_can_carry_is_refused_without_being_shown",
            "security/test_hostile_texts.py::test_white_space_around_a_key_is_not_sent",
            "unit/client/test_keys.py::test_what_is_no_key_is_named",
        ),
    ),
    Case(
        "S3",
        "Gemini's key is in a header, and in no URL and no log.",
        (
            "security/test_hostile_providers.py::test_geminis_key_is_in_no_address_and_no_log",
            "unit/client/test_gemini.py::test_key_is_in_a_header_and_never_in_the_address",
        ),
    ),
    Case(
        "S4",
        "Pickles and foreign schemas in the place of a file are never opened.",
        (
            "security/test_files.py::test_pickles_in_the_place_of_the_cache_are_never_opened",
            "unit/cache/test_database.py::test_a_trigger_in_the_file_makes_it_foreign",
            "test_no_pickle.py::test_nothing_is_unpickled_or_evaluated_and_nothing_sleeps",
        ),
    ),
    Case(
        "S5",
        "A program's file leads no call elsewhere and has nothing imported.",
        (
            "security/test_hostile_texts.py::test_a_program_file_leads_no_call_elsewhere_and_imports_nothing",
            "security/test_keys.py::test_a_key_among_the_settings_of_a_file_is_dropped_with_a_warning",
            "unit/programs/test_state.py::test_addresses_and_keys_in_a_file_are_ignored_with_a_warning",
            "unit/programs/test_whole_program_trust.py::test_a_file_cannot_name_other_code",
            "unit/programs/test_whole_program_trust.py::test_all_that_must_be_allowed_is_named_at_once_and_nothing_is_imported",
            "unit/programs/test_whole_program_trust.py::test_an_allowed_module_is_no_way_to_another_one",
            "unit/programs/test_whole_program_trust.py::test_any_json_makes_a_program_or_an_error",
        ),
    ),
    Case(
        "S6",
        "A pickled program is refused.",
        (
            "security/test_hostile_texts.py::test_a_pickled_program_is_refused_unopened",
            "unit/programs/test_state.py::test_pickles_are_refused_both_ways",
            "unit/programs/test_whole_program_trust.py::test_a_pickle_is_refused_with_the_way_out",
        ),
    ),
    Case(
        "S7",
        "A text that looks like a format of any kind stays as it is.",
        (
            "security/test_hostile_texts.py::test_a_text_that_looks_like_a_format_is_sent_and_returned_as_it_is",
        ),
    ),
    Case(
        "S8",
        "The adapter's own marks inside a text give no other field.",
        (
            "security/test_hostile_texts.py::test_a_marker_inside_an_answer_gives_no_other_field",
            "properties/test_adapters.py::test_chat_outputs_come_back_as_they_were",
            "properties/test_adapters.py::test_a_line_value_that_looks_like_another_line_stays_in_its_field",
            "properties/test_forging.py::test_no_value_adds_a_field_a_turn_or_a_picture",
        ),
    ),
    Case(
        "S9",
        "A key is taken to no address that is no model's API.",
        (
            "security/test_hostile_providers.py::test_a_key_is_taken_to_no_address_that_is_no_models_api",
            "unit/client/test_endpoint.py::test_key_over_plain_http_to_another_machine_is_refused",
            "unit/client/test_model_strings.py::test_key_of_the_environment_stays_away_from_another_address",
        ),
    ),
    Case(
        "S10",
        "A redirect is not followed, and takes no key elsewhere.",
        (
            "security/test_hostile_providers.py::test_a_redirect_takes_the_key_nowhere",
            "contracts/test_transport_streams.py::test_redirect_is_not_followed_and_carries_no_key_elsewhere",
        ),
    ),
    Case(
        "S11",
        "Bombs, endless bodies and drips end at a cap or at the deadline.",
        (
            "security/test_hostile_providers.py::test_a_body_without_end_is_an_error_and_no_part_of_the_tree_dies",
            "security/test_hostile_providers.py::test_a_deadline_holds_against_a_body_that_drips",
            "contracts/test_transport.py::test_default_limit_holds_against_bombs",
            "unit/client/test_http_body.py::test_bomb_is_unpacked_in_small_pieces_and_given_up_at_the_limit",
        ),
    ),
    Case(
        "S12",
        "JSON that breaks readers is one call's error.",
        (
            "security/test_hostile_providers.py::test_json_that_breaks_readers_is_an_error_and_no_part_of_the_tree_dies",
            "unit/client/test_json_body.py::test_what_is_no_sound_json_is_refused",
        ),
    ),
    Case(
        "S13",
        "Control sequences in a text steer no terminal.",
        (
            "security/test_hostile_texts.py::test_an_answer_steers_no_terminal",
            "security/test_hostile_texts.py::test_a_refusal_steers_no_terminal",
            "security/test_terminals.py::test_what_is_recorded_of_an_answer_steers_no_terminal",
            "security/test_terminals.py::test_a_row_steers_no_terminal",
            "security/test_terminals.py::test_a_configuration_steers_no_terminal",
            "security/test_hostile_texts.py::test_rich_shows_a_text_and_takes_it_for_no_more",
            "unit/core/test_safe_text.py::test_nothing_that_acts_is_left_in_any_text",
        ),
    ),
    Case(
        "S14",
        "Markup in a text is shown as it is.",
        (
            "security/test_hostile_texts.py::test_an_answer_steers_no_terminal",
            "security/test_hostile_texts.py::test_rich_shows_a_text_and_takes_it_for_no_more",
            "repl/test_shown.py::test_in_a_notebook_and_for_rich_texts_are_texts",
        ),
    ),
    Case(
        "S15",
        "Words from outside are one line of a log, escaped, whatever renders it.",
        (
            "security/test_hostile_texts.py::test_what_a_handler_raises_is_one_line_of_a_log",
            "security/test_hostile_texts.py::test_what_a_program_raises_steers_no_terminal_through_a_log",
            "telemetry/test_json_logs.py::test_an_event_is_one_line_that_steers_no_terminal",
            "telemetry/test_json_logs.py::test_redacted_events_are_one_line_with_every_renderer",
            "security/test_hostile_texts.py::test_a_refusal_is_one_line_of_a_log",
            "unit/client/test_openai_errors.py::test_request_id_with_control_characters_is_made_visible",
        ),
    ),
    Case(
        "S16",
        "A cell that a spreadsheet would run is text; numbers stay numbers.",
        (
            "security/test_spreadsheets.py::test_no_way_of_writing_rows_writes_a_formula",
            "security/test_spreadsheets.py::test_a_name_of_a_field_is_no_formula_either",
            "unit/evaluate/test_export.py::test_a_formula_is_disarmed_unless_raw",
            "unit/evaluate/test_export.py::test_a_number_stays_a_number",
            "unit/evaluate/test_export.py::test_two_texts_never_become_one",
        ),
    ),
    Case(
        "S17",
        "Nothing that a model or a row says can act on the page of a report.",
        (
            "unit/evaluate/html/test_report.py::test_no_text_becomes_markup",
            "unit/evaluate/html/test_report.py::test_the_policy_lets_in_the_pages_own_script_and_style_and_nothing_else",
            "unit/evaluate/html/test_comparison.py::test_no_text_becomes_markup",
            "unit/evaluate/html/test_report.py::test_a_notebook_shows_the_worst_rows_and_runs_nothing",
        ),
    ),
    Case(
        "S19",
        "A control socket is its user's own.",
        (
            "actors/test_control.py::test_another_user_is_sent_away_even_when_the_folder_lets_him_in",
            "unit/control/test_place.py::test_folder_and_socket_are_this_users_alone",
            "unit/control/test_place.py::test_a_link_in_the_place_of_the_folder_is_refused",
            "unit/control/test_place.py::test_another_users_folder_is_refused_and_not_looked_into",
            "unit/control/test_place.py::test_the_user_at_the_other_end_is_told_by_the_system",
        ),
    ),
    Case(
        "S20",
        "Files are their user's own, and no link is followed.",
        (
            "security/test_files.py::test_files_are_their_users_own_whatever_the_umask",
            "security/test_files.py::test_a_link_in_the_place_of_the_cache_is_not_followed",
            "security/test_files.py::test_nothing_is_written_where_others_may_write",
            "security/test_open_folders.py::test_an_open_home_is_warned_of_once",
            "security/test_open_folders.py::test_a_folder_further_up_is_warned_of_and_one_like_tmp_is_not",
            "security/test_open_folders.py::test_a_service_in_an_open_folder_is_warned_of",
            "security/test_open_folders.py::test_no_record_is_written_where_others_may_write",
            "security/test_open_folders.py::test_no_study_is_written_where_others_may_write",
            "security/test_open_folders.py::test_the_sockets_folder_is_closed_and_the_home_around_it_warned_of",
            "security/test_open_folders.py::test_a_link_in_the_place_of_the_sockets_folder_is_not_followed",
            "security/test_open_folders.py::test_weights_in_an_open_folder_are_warned_of",
            "security/test_open_folders.py::test_a_program_saved_in_an_open_folder_is_warned_of",
            "security/test_open_folders.py::test_a_link_in_the_place_of_a_program_is_replaced_and_not_followed",
            "security/test_files.py::test_the_record_of_a_run_is_its_users_own_whatever_the_umask",
            "security/test_files.py::test_a_link_in_the_place_of_a_record_is_not_followed",
            "actors/test_cache_store.py::test_a_link_in_the_place_of_the_file_costs_one_warning_and_is_left_alone",
        ),
    ),
    Case(
        "S22",
        "Ten thousand calls with a wrong key end after the first few requests.",
        (
            "security/test_hostile_providers.py::test_ten_thousand_calls_with_a_wrong_key_cost_a_few_requests",
            "cli/test_predict.py::test_a_refused_key_is_configuration",
            "cli/test_evaluate.py::test_a_wrong_key_stops_the_run_with_one_message",
        ),
    ),
    Case(
        "S23",
        "Code that exits, interrupts, recurses or says too much fails alone; Ctrl-C "
        "opens no breaker.",
        (
            "security/test_hostile_code.py::test_code_that_misbehaves_fails_its_example_alone",
            "security/test_hostile_code.py::test_a_tool_that_misbehaves_harms_no_call_after_it",
            "security/test_hostile_code.py::test_ctrl_c_opens_no_breaker",
            "actors/test_isolate.py::test_sys_exit_fails_its_example_only",
        ),
    ),
    Case(
        "S24",
        "An endless line, a NUL or a wrong encoding is an error with its line.",
        (
            "security/test_hostile_data.py::test_a_line_of_a_gigabyte_is_refused_in_little_memory",
            "security/test_hostile_data.py::test_a_json_file_of_a_gigabyte_is_refused_unread",
            "security/test_hostile_data.py::test_bytes_that_are_no_text_are_told_with_their_line",
            "security/test_hostile_data.py::test_a_parquet_file_that_says_one_text_a_million_times_takes_little_memory",
            "security/test_hostile_data.py::test_bytes_that_are_no_parquet_are_an_error_with_the_files_name",
            "security/test_hostile_data.py::test_an_archive_is_refused_unopened",
            "security/test_hostile_data.py::test_an_archive_under_another_name_is_told_with_its_line",
        ),
    ),
    Case(
        "two callers",
        "What is said of one caller's key or budget is told to nobody else.",
        (
            "security/test_keys.py::test_a_wrong_key_is_told_to_its_own_callers_only",
            "security/test_keys.py::test_a_used_up_budget_is_told_to_its_own_callers_only",
            "security/test_keys.py::test_a_full_queue_is_told_to_its_own_callers_only",
            "security/test_hostile_providers.py::test_one_forbidden_prompt_ends_no_call_but_its_own",
        ),
    ),
    Case(
        "foreign code",
        "A function that should return a key may hang, exit or return anything.",
        (
            "security/test_keys.py::test_a_program_ends_though_its_key_function_never_returns",
            "security/test_keys.py::test_a_key_function_that_exits_ends_one_call_and_no_part_of_the_tree",
            "unit/client/test_keys.py::test_a_function_that_hangs_is_waited_for_once_by_all",
        ),
    ),
)
