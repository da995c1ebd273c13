SELECT
    source, asker, waits AS questions, p50_h, p90_h,
    within_24h_rate AS answered_24h_rate,
    within_24h_rate_low AS low_rate,
    within_24h_rate_high AS high_rate,
    waiting AS still_waiting
FROM marts.wait_times
WHERE
    population = 'questions' AND event = 'response' AND period = 'last_90_days'
    AND channel_id = 'all'
ORDER BY source = 'all' DESC, source, asker = 'all' DESC, asker
