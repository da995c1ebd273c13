WITH judged AS (
    SELECT
        finding,
        count(*) FILTER (choice = 'agree') AS agreed,
        count(*) FILTER (choice IN ('agree', 'disagree')) AS judged
    FROM marts.verdicts
    WHERE in_view(said_day) AND is_last
    GROUP BY finding
)

SELECT
    finding, judged, agreed,
    rate(agreed, judged) AS agreed_rate,
    rate_low(agreed, judged) AS low_rate,
    rate_high(agreed, judged) AS high_rate
FROM judged
WHERE judged > 0
ORDER BY finding
