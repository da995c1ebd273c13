-- What the other files here may use beside sql/macros.sql; the period is set as session variables.
CREATE OR REPLACE MACRO first_day() AS getvariable('first')::DATE;
CREATE OR REPLACE MACRO day_after() AS getvariable('after')::DATE;
CREATE OR REPLACE MACRO in_period(day) AS day >= first_day() AND day < day_after();

-- The weeks that end with the period: what curves, bars and heat maps look back on.
CREATE OR REPLACE MACRO in_view(day) AS day >= getvariable('view_first')::DATE AND day < day_after();
