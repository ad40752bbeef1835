-- business_time: working time between two moments, and the moment at which some working time has passed.
--
-- A working day is a day of the listed weekdays that is not in crm.holiday; it lasts from the instant at which the clock of
-- the time zone shows "opens" to the one at which it shows "closes" (24:00 is the next midnight). Time is real time: a day
-- whose clock is put forward at night is an hour shorter when it is open at night.

CREATE FUNCTION crm._business_check(opens time, closes time, weekdays smallint[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF closes <= opens THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "closes" must be after "opens"',
			DETAIL = format('Got %s to %s.', opens, closes);
	END IF;
	IF cardinality(weekdays) = 0 OR NOT coalesce(weekdays <@ '{1,2,3,4,5,6,7}' AND array_position(weekdays, NULL) IS NULL, false) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "weekdays" must list days from 1 (Monday) to 7 (Sunday)',
			DETAIL = format('Got %s.', weekdays);
	END IF;
	PERFORM crm._require_table('holiday');
END
$$;
COMMENT ON FUNCTION crm._business_check(time, time, smallint[]) IS 'raises the errors of the working hours that the functions of working time are given; open to PUBLIC for them';

CREATE FUNCTION crm.business_time(
	from_at timestamptz,
	to_at timestamptz,
	time_zone text DEFAULT 'UTC',
	opens time DEFAULT '00:00',
	closes time DEFAULT '24:00',
	weekdays smallint[] DEFAULT '{1,2,3,4,5,6,7}'
) RETURNS interval
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	earlier constant timestamptz := least(from_at, to_at);
	later constant timestamptz := greatest(from_at, to_at);
	seconds numeric;
BEGIN
	PERFORM crm._business_check(opens, closes, weekdays);
	IF NOT isfinite(earlier) OR NOT isfinite(later) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'working time needs finite moments',
			DETAIL = format('Got %s to %s.', from_at, to_at);
	END IF;
	SELECT sum(extract(epoch FROM least(w.until, later)) - extract(epoch FROM greatest(w.since, earlier))) INTO seconds
	FROM (
		SELECT (d.day + opens) AT TIME ZONE time_zone AS since, (d.day + closes) AT TIME ZONE time_zone AS until
		FROM (
			SELECT s.moment::date AS day
			FROM generate_series(date_trunc('day', earlier AT TIME ZONE time_zone) - interval '1 day',
				later AT TIME ZONE time_zone, interval '1 day') AS s (moment)
		) d
		WHERE extract(isodow FROM d.day)::smallint = ANY (weekdays)
			AND NOT EXISTS (SELECT FROM crm.holiday h WHERE h.day = d.day)
	) w
	WHERE least(w.until, later) > greatest(w.since, earlier);
	RETURN make_interval(secs => (CASE WHEN from_at > to_at THEN -1 ELSE 1 END * coalesce(seconds, 0))::double precision);
END
$$;
COMMENT ON FUNCTION crm.business_time(timestamptz, timestamptz, text, time, time, smallint[]) IS 'the working time between two moments, in hours, minutes and seconds; below zero when the second is the earlier';

CREATE FUNCTION crm.add_business_time(
	from_at timestamptz,
	span interval,
	time_zone text DEFAULT 'UTC',
	opens time DEFAULT '00:00',
	closes time DEFAULT '24:00',
	weekdays smallint[] DEFAULT '{1,2,3,4,5,6,7}'
) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	days constant integer := 36525; -- a century without enough working time is a mistake
	remaining numeric := extract(epoch FROM span);
	available numeric;
	first_day date;
	working_day date;
	since timestamptz;
BEGIN
	PERFORM crm._business_check(opens, closes, weekdays);
	IF NOT isfinite(from_at) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'working time needs a finite moment',
			DETAIL = format('Got %s.', from_at);
	ELSIF remaining < 0 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "span" must not be below zero',
			DETAIL = format('Got %s.', span);
	ELSIF remaining = 0 THEN
		RETURN from_at;
	END IF;

	first_day := (from_at AT TIME ZONE time_zone)::date - 1;
	FOR number IN 0 .. days LOOP
		working_day := first_day + number;
		CONTINUE WHEN extract(isodow FROM working_day)::smallint <> ALL (weekdays)
			OR EXISTS (SELECT FROM crm.holiday h WHERE h.day = working_day);
		since := greatest((working_day + opens) AT TIME ZONE time_zone, from_at);
		available := extract(epoch FROM (working_day + closes) AT TIME ZONE time_zone) - extract(epoch FROM since);
		CONTINUE WHEN available <= 0;
		IF remaining <= available THEN
			RETURN since + make_interval(secs => remaining::double precision);
		END IF;
		remaining := remaining - available;
	END LOOP;
	RAISE EXCEPTION USING
		ERRCODE = 'invalid_parameter_value',
		MESSAGE = 'that working time does not pass within a hundred years',
		DETAIL = format('Got %s from %s.', span, from_at),
		HINT = 'Look at crm.holiday, and at the working hours.';
END
$$;
COMMENT ON FUNCTION crm.add_business_time(timestamptz, interval, text, time, time, smallint[]) IS 'the moment at which that much working time has passed since another; a day of the span is 24 working hours';
