SELECT
    day,
    week_of(day) AS week,
    date_trunc('month', day)::DATE AS month,
    isodow(day)::INTEGER AS weekday,
    as_of_day() AS as_of_day,
    day < as_of_day() AS is_over,
    is_final(day) AS is_final
FROM (
    SELECT unnest(generate_series(min(m.created_day), as_of_day(), INTERVAL 1 DAY))::DATE AS day
    FROM marts.messages AS m
) AS days
