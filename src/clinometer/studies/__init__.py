"""What a study is: factors, figures, claims, theorems and the statistics that decide them."""
