"""A connector of daily files: `YYYY-MM-DD.txt`, columns `day;code;o;h;l;c;size`."""
