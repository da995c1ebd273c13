SELECT
    source,
    rate(sum(solved_168h), sum(due_168h)) AS solved_168h_rate,
    rate(sum(thanked), sum(answered)) AS thanked_rate,
    rate(sum(returned_30d), sum(due_30d)) AS returned_30d_rate,
    sum(unkind_follow_ups)::BIGINT AS unkind,
    sum(judged_follow_ups)::BIGINT AS follow_ups
FROM marts.satisfaction
WHERE population = 'questions' AND in_weeks(week)
GROUP BY source
ORDER BY source
