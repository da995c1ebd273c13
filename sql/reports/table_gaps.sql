SELECT
    source, aspect, group_name, threads, p50_h,
    within_24h_rate AS answered_24h_rate,
    others_within_24h_rate AS others_24h_rate,
    gap_low AS low_rate,
    gap_high AS high_rate,
    log_rank_p
FROM marts.response_gaps
WHERE population = 'questions' AND others > 0
ORDER BY source, aspect, group_name
