SELECT metric, source, day, before_median, after_median
FROM marts.change_points
WHERE in_view(day)
ORDER BY day DESC, metric ASC, source ASC
