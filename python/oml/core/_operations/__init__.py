"""Operations of proxies that need more than one SQL expression."""
