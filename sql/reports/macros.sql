-- What the other files here may use beside sql/macros.sql; the period is set as session variables.
CREATE OR REPLACE MACRO first_day() AS getvariable('first')::DATE;
CREATE OR REPLACE MACRO day_after() AS getvariable('after')::DATE;
CREATE OR REPLACE MACRO in_period(day) AS day >= first_day() AND day < day_after();

-- The thirteen weeks that end with the period, to the day: what curves and lists look back on.
CREATE OR REPLACE MACRO in_view(day) AS day >= getvariable('view_first')::DATE AND day < day_after();

-- The thirteen whole weeks up to its end: what is told by the week. A month may end within one.
CREATE OR REPLACE MACRO in_weeks(week) AS week >= week_of(day_after()) - 91 AND week < week_of(day_after());

-- Where people stood when the days before this one were over: on the next Monday, which looks back on the
-- weeks up to it, or on the newest one the night has.
CREATE OR REPLACE MACRO standing_day(day) AS least(week_of(day + 6), week_of(as_of_day()));
