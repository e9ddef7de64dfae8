"""What a query may call: functions whose value depends on their arguments alone.

Left out on purpose: whatever reads files, settings, variables, the environment, the catalog, the
clock or a random source; whatever runs SQL or a function named by text; whatever sleeps, raises or
writes. A name that DuckDB gains later is refused until somebody adds it here.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPERATORS = _names(
    "! !__postfix !~~ !~~* % & && * ** + - ->> -> / // < <-> << <= <=> <@ = > >= >> @ @> ^ ^@ "
    "| || ~ ~~ ~~* ~~~ !~~~ <> != == not_ilike_escape ilike_escape not_like_escape like_escape"
)
_NUMBERS = _names(
    "abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot "
    "degrees divide even exp factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor "
    "isfinite isinf isnan lcm least least_common_multiple lgamma ln log log10 log2 mod multiply "
    "nextafter pi pow power radians round round_even roundbankers sign signbit sin sinh sqrt "
    "subtract tan tanh trunc xor"
)
_TEXT = _names(
    "ascii base64 bin bit_length char_length character_length chr concat concat_ws contains "
    "damerau_levenshtein decode editdist3 encode ends_with format formatreadabledecimalsize "
    "formatreadablesize format_bytes from_base64 from_hex from_binary hamming hash hex instr "
    "jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme len length "
    "length_grapheme levenshtein lower lpad ltrim md5 md5_number mismatches nfc_normalize "
    "octet_length ord overlay position prefix printf regexp_escape regexp_extract "
    "regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array "
    "repeat replace reverse right right_grapheme rpad rtrim sha1 sha256 split split_part "
    "starts_with str_split str_split_regex string_split string_split_regex string_to_array "
    "strip_accents strlen strpos substr substring substring_grapheme suffix to_base to_base64 "
    "to_binary to_hex translate trim ucase unbin unhex unicode upper url_decode url_encode"
)
_TIME = _names(
    "age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub "
    "datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms "
    "epoch_ns epoch_us era hour isodow isoyear julian last_day make_date make_time "
    "make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium "
    "millisecond minute month monthname nanosecond normalized_interval quarter second strftime "
    "strptime time_bucket timezone timezone_hour timezone_minute to_centuries to_days to_decades "
    "to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters "
    "to_seconds to_timestamp to_weeks to_years try_strptime week weekday weekofyear year yearweek"
)
_NESTED = _names(
    "array_append array_apply array_cat array_concat array_contains array_cosine_distance "
    "array_cosine_similarity array_cross_product array_distance array_distinct "
    "array_dot_product array_extract array_filter array_grade_up array_has array_has_all "
    "array_has_any array_indexof array_inner_product array_intersect array_length "
    "array_pop_back array_pop_front array_position array_prepend array_push_back "
    "array_push_front array_reduce array_resize array_reverse array_reverse_sort array_slice "
    "array_sort array_to_string array_transform array_unique array_value array_where array_zip "
    "cardinality element_at flatten grade_up list_any_value list_append list_apply list_avg "
    "list_bool_and list_bool_or list_cat list_concat list_contains list_count list_distance "
    "list_distinct list_dot_product list_element list_extract list_filter list_first "
    "list_grade_up list_has list_has_all list_has_any list_indexof list_inner_product "
    "list_intersect list_last list_max list_median list_min list_mode list_pack list_position "
    "list_prepend list_product list_reduce list_resize list_reverse list_reverse_sort "
    "list_select list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum "
    "list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip map "
    "map_concat map_contains map_entries map_extract map_extract_value map_from_entries "
    "map_keys map_values row struct_concat struct_contains struct_extract struct_extract_at "
    "struct_has struct_indexof struct_insert struct_keys struct_pack struct_position "
    "struct_update struct_values unpivot_list"
)
_JSON = _names(
    "array_to_json from_json from_json_strict json json_array json_array_length json_contains "
    "json_exists json_extract json_extract_path json_extract_path_text json_extract_string "
    "json_keys json_object json_quote json_structure json_transform json_transform_strict "
    "json_type json_valid json_value row_to_json to_json"
)
_CHOICE = _names("coalesce if ifnull nullif constant_or_null switch typeof pg_typeof")
_MAKERS = _names("generate_series range unnest")
_AGGREGATES = _names(
    "any_value approx_count_distinct approx_quantile arbitrary arg_max arg_max_null "
    "arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg "
    "bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop "
    "covar_samp entropy favg first fsum geomean geometric_mean group_concat histogram "
    "json_group_array json_group_object kahan_sum kurtosis kurtosis_pop last list listagg mad "
    "max max_by mean median min min_by mode percentile_cont percentile_disc product quantile "
    "quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 "
    "regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp "
    "string_agg sum sumkahan var_pop var_samp variance wavg weighted_avg grouping grouping_id"
)
_WINDOWS = _names(
    "cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank "
    "rank_dense row_number"
)

FUNCTIONS: Final = (
    _OPERATORS | _NUMBERS | _TEXT | _TIME | _NESTED | _JSON | _CHOICE | _MAKERS | _AGGREGATES
) | _WINDOWS
"""Scalar, aggregate and window functions, in lower case."""

ROW_FUNCTIONS: Final = FUNCTIONS - _MAKERS - _AGGREGATES - _WINDOWS
"""Those of them whose value depends on one row alone."""

TABLE_FUNCTIONS: Final = _MAKERS
"""Functions that may stand in FROM."""

COUNTED: Final = {
    "repeat": (1,),
    "lpad": (1,),
    "rpad": (1,),
    "range": (0, 1, 2),
    "generate_series": (0, 1, 2),
    "list_resize": (1,),
    "array_resize": (1,),
}
"""Positions of the arguments that say how much is made: those must be literals, and small."""

FORMATTED: Final = frozenset({"printf", "format"})
"""Functions whose first argument may ask for any width: it must be a plain literal."""

TODAY: Final = "current_date"
"""The one bare word of them that a query may use: the date of its known_at."""

SPECIAL_NAMES: Final = _names(
    "current_catalog current_localtime current_localtimestamp current_role "
    "current_schema current_time current_timestamp current_user localtime localtimestamp "
    "session_user user"
)
"""Bare words that DuckDB turns into a call when no column has that name."""
