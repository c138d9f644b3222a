SELECT filed(day) AS file_day, name_zh AS city, on_day(day) AS weather_date, temperature_c, rain_mm, wind_m_s
FROM weather JOIN city USING (city_id) ORDER BY file_day, weather_date, city_id
