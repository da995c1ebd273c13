SELECT metric, source, day, before_mean, after_mean
FROM marts.change_points
WHERE in_view(day)
ORDER BY day DESC, metric ASC, source ASC
