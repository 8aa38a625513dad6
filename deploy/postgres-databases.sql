-- PostgreSQL makes the database jishi by itself, for the lake's catalog and records; Airflow has one of its own.
CREATE DATABASE airflow;
