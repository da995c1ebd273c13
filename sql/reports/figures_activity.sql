SELECT
    coalesce(sum(messages), 0)::BIGINT AS messages,
    coalesce(sum(threads), 0)::BIGINT AS threads,
    (
        SELECT count(DISTINCT person_id) FROM marts.person_days
        WHERE in_period(day)
    ) AS people,
    (
        SELECT count(DISTINCT person_id) FROM marts.person_days
        WHERE in_period(day) AND helps > 0
    ) AS helpers,
    rate(sum(bot_messages), sum(messages + bot_messages)) AS bot_rate
FROM marts.daily_activity
WHERE in_period(day)
